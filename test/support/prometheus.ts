import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RULES_FOLDER } from "./alert-rules.js";
import { freePort } from "./free-port.js";
import { programPath } from "./program-path.js";
import { startServerProcess } from "./server-process.js";

export const prometheusPath = programPath("prometheus");

export interface Series {
  metric: Record<string, string>;
  value: [time: number, value: string];
}

/** Series with their exemplars. */
export interface Exemplified {
  seriesLabels: Record<string, string>;
  exemplars: { labels: Record<string, string>; value: string }[];
}

/** A Prometheus that looks at a gateway every second, with the rules that are deployed. */
export interface Prometheus {
  query(expression: string): Promise<Series[]>;
  exemplars(expression: string): Promise<Exemplified[]>;
  stop(): Promise<void>;
}

export async function startPrometheus(program: string, gatewayUrl: string): Promise<Prometheus> {
  const folder = await mkdtemp(join(tmpdir(), "254carbon-prometheus-"));
  await copyRules(join(folder, "rules"));
  await writeFile(join(folder, "prometheus.yml"), configuration(new URL(gatewayUrl).host));
  const url = `http://127.0.0.1:${await freePort()}`;
  const args = [
    `--config.file=${join(folder, "prometheus.yml")}`,
    `--storage.tsdb.path=${join(folder, "data")}`,
    `--web.listen-address=${new URL(url).host}`,
    "--enable-feature=exemplar-storage",
    "--log.level=warn",
  ];
  const server = await startServerProcess(program, args, {
    ...{ cwd: folder, folder, env: { PATH: process.env.PATH } },
    answers: async () => {
      if (!(await fetch(`${url}/-/ready`)).ok) throw new Error("it is not ready");
    },
  });
  const ask = async <T>(path: string, parameters: Record<string, string>): Promise<T> => {
    const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`);
    const { status, data, error } = (await response.json()) as { status: string; data: T; error?: string };
    if (status !== "success") throw new Error(`${parameters.query}: ${error}`);
    return data;
  };
  return {
    query: async (query) => (await ask<{ result: Series[] }>("query", { query })).result,
    exemplars: (query) => {
      const now = Date.now() / 1000;
      return ask("query_exemplars", { query, start: String(now - 600), end: String(now + 60) });
    },
    stop: async () => {
      await server.end("SIGTERM");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Groups that take their time run as often as the others. */
async function copyRules(folder: string): Promise<void> {
  await mkdir(folder);
  const source = join(import.meta.dirname, "../../..", RULES_FOLDER);
  for (const name of await readdir(source)) {
    const text = await readFile(join(source, name), "utf8");
    await writeFile(join(folder, name), text.replaceAll(/^ {4}interval: .*\n/gm, ""));
  }
}

function configuration(host: string): string {
  return `global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }
rule_files: [rules/*.yml]
scrape_configs:
  - job_name: gateway
    static_configs: [{ targets: ["${host}"] }]
`;
}
