import type { CliContext } from "../command.js";
import { everyPage } from "../every-page.js";
import type { ImportedVersion } from "../graph-operations.js";
import type { KnownModel } from "../known-model.js";
import { identityOf } from "./carried-facts.js";
import type { MlflowVersion } from "./mlflow-estate.js";

/** Numbers of the versions that have been in a stage or left one, here. */
export async function movedVersions({ graph }: CliContext, name: string): Promise<Set<number>> {
  const moved = new Set<number>();
  const pages = everyPage(
    async (page) => (await graph.execute("model-transitions", { name, ...page })).model?.transitions,
  );
  for await (const { edges } of pages) {
    for (const { node } of edges) {
      moved.add(node.version.number);
      if (node.retired) moved.add(node.retired.number);
    }
  }
  return moved;
}

/** The versions that came from this one of MLflow's, the best first: READY, then what waits, then what was rejected. */
export function importsOf(version: MlflowVersion, known: KnownModel | undefined): ImportedVersion[] {
  const identity = identityOf(version);
  const rank = { READY: 0, PENDING: 1, REJECTED: 2 };
  return (known?.versions ?? [])
    .filter(({ parameters }) =>
      identity.every(({ name, value }) =>
        parameters.some((parameter) => parameter.name === name && parameter.value === value),
      ),
    )
    .sort((a, b) => rank[a.status] - rank[b.status]);
}

/** Whether it came from any version of that model of MLflow's. */
export function isImportOf(model: string, { parameters }: ImportedVersion): boolean {
  return parameters.some(({ name, value }) => name === "mlflow.model" && value === model);
}
