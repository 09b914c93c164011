import { join } from "node:path";
import { runProgram } from "../support/run-program.js";
import { deployTools } from "./deploy-tools.js";
import { objectsOf } from "./manifests.js";
import type { KubernetesObject } from "./manifests.js";

const FOLDER = join(import.meta.dirname, "../../../deploy/helm");

/** Every chart, and the environments that it has values for. */
export const CHARTS = {
  "ml-platform": ["staging", "production"],
  postgres: ["staging", "production"],
  redis: ["staging", "production"],
  // In production a cloud's store takes its place.
  minio: ["staging"],
} as const;

export interface ChartRun {
  namespace: string;
  /** Beside values.yaml: `staging` is values-staging.yaml. */
  values?: string;
  /** As after `--set`. */
  set?: readonly string[];
  /** Major version of Helm; the newest when absent. */
  helm?: string;
}

/** What `helm install` would send. @throws with what Helm says of values that the chart refuses */
export async function renderChart(chart: string, run: ChartRun): Promise<KubernetesObject[]> {
  const { helms } = await deployTools();
  const { program } = helms.find(({ version }) => version === (run.helm ?? "4"))!;
  const folder = join(FOLDER, chart);
  const output = await runProgram(program, [
    ...["template", chart, folder, "--namespace", run.namespace, "--kube-version", "1.37.0"],
    ...(run.values ? ["--values", join(folder, `values-${run.values}.yaml`)] : []),
    ...(run.set ?? []).flatMap((assignment) => ["--set", assignment]),
  ]);
  return objectsOf(output);
}

/** @throws with what Helm finds questionable in a chart */
export async function lintChart(chart: string, values: string): Promise<void> {
  const { helms } = await deployTools();
  const folder = join(FOLDER, chart);
  const options = ["--strict", "--quiet", "--kube-version", "1.37.0"];
  await runProgram(helms[0]!.program, [
    ...["lint", folder, ...options],
    ...["--values", join(folder, `values-${values}.yaml`)],
  ]);
}
