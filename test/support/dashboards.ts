import { readdirSync } from "node:fs";
import { join } from "node:path";
import { readFromRoot } from "./compose-file.js";

const FOLDER = "deploy/grafana/dashboards";

interface Target {
  expr: string;
  exemplar?: boolean;
  datasource: { type: string; uid: string };
}

export interface Panel {
  id: number;
  title: string;
  description: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets: Target[];
}

export interface Dashboard {
  uid: string;
  title: string;
  panels: Panel[];
}

export const dashboards = readdirSync(join(import.meta.dirname, "../../..", FOLDER))
  .sort()
  .map((name) => JSON.parse(readFromRoot(`${FOLDER}/${name}`)) as Dashboard);

/** Every query of every panel, as Prometheus gets it. */
export const queries = dashboards.flatMap(({ title, panels }) =>
  panels.flatMap((panel) =>
    panel.targets.map(({ expr, exemplar = false }) => ({
      panel: `${title}: ${panel.title}`,
      exemplar,
      expr: expr.replaceAll("$__rate_interval", "1m").replaceAll("$namespace", ".*"),
    })),
  ),
);
