import type { CliContext } from "../command.js";
import type { ImportedModel, ImportedVersion } from "../graph-operations.js";
import { identityOf } from "./carried-facts.js";
import type { MlflowVersion } from "./mlflow-estate.js";

const PAGE = 100;

/** A model as the platform has it, with all its versions; undefined where there is none of that name. */
export type KnownModel = Omit<ImportedModel, "versions"> & { versions: ImportedVersion[] };

export async function readModel({ graph }: CliContext, name: string): Promise<KnownModel | undefined> {
  let known: KnownModel | undefined;
  let after: string | undefined;
  do {
    const { model } = await graph.execute("imported-versions", { name, first: PAGE, after });
    if (!model) return known;
    const found = model.versions.edges.map(({ node }) => node);
    known = { ...model, versions: [...(known?.versions ?? []), ...found] };
    const { hasNextPage, endCursor } = model.versions.pageInfo;
    after = hasNextPage ? (endCursor ?? undefined) : undefined;
  } while (after);
  return known;
}

/** Numbers of the versions that have been in a stage or left one, here. */
export async function movedVersions({ graph }: CliContext, name: string): Promise<Set<number>> {
  const moved = new Set<number>();
  let after: string | undefined;
  do {
    const { model } = await graph.execute("model-transitions", { name, first: PAGE, after });
    if (!model) return moved;
    for (const { node } of model.transitions.edges) {
      moved.add(node.version.number);
      if (node.retired) moved.add(node.retired.number);
    }
    const { hasNextPage, endCursor } = model.transitions.pageInfo;
    after = hasNextPage ? (endCursor ?? undefined) : undefined;
  } while (after);
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
