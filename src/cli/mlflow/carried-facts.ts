import type { Entry, MlflowFacts, MlflowVersion } from "./mlflow-estate.js";

/** Metrics and parameters of a version, as the graph takes them. */
export interface CarriedFacts {
  metrics: { name: string; value: number }[];
  parameters: Entry[];
  /** What was cut or left behind. */
  notes: string[];
}

const MOST_ENTRIES = 200;
const LONGEST_NAME = 128;
const LONGEST_VALUE = 4096;
/** MLflow's own record of its folders, of no use elsewhere. */
const LEFT_OUT = new Set(["mlflow.log-model.history", "mlflow.modelVersions"]);

/** Which version of MLflow's it is; the same through a server and from its folder. */
export function identityOf({ model, number, createdAt, runId }: MlflowVersion): Entry[] {
  return [
    { name: "mlflow.model", value: model },
    { name: "mlflow.version", value: String(number) },
    { name: "mlflow.created_at", value: new Date(createdAt).toISOString() },
    ...(runId === undefined ? [] : [{ name: "mlflow.run_id", value: runId }]),
  ];
}

export function carriedFacts(version: MlflowVersion, facts: MlflowFacts): CarriedFacts {
  const finite = facts.metrics.filter(({ value }) => Number.isFinite(value));
  const others = facts.metrics.filter(({ value }) => !Number.isFinite(value));
  const notes: string[] = [];
  return {
    metrics: fitting(finite, "metric", notes),
    parameters: fitting(
      [
        ...identityOf(version),
        ...aboutVersion(version),
        ...facts.parameters,
        ...others.map(({ name, value }) => ({ name: `metric.${name}`, value: String(value) })),
        ...version.tags.map(tagged("tag.")),
        ...facts.tags.filter(({ name }) => !LEFT_OUT.has(name)).map(tagged("run_tag.")),
      ],
      "parameter",
      notes,
    ),
    notes,
  };
}

function aboutVersion({ source, modelId, stage, aliases, description }: MlflowVersion): Entry[] {
  const about: Record<string, string | undefined> = {
    "mlflow.source": source,
    "mlflow.model_id": modelId,
    "mlflow.stage": stage === "None" ? undefined : stage,
    "mlflow.aliases": aliases.join(", "),
    "mlflow.description": description,
  };
  return Object.entries(about).flatMap(([name, value]) => (value ? [{ name, value }] : []));
}

/** MLflow's own keep their names. */
function tagged(prefix: string): (entry: Entry) => Entry {
  return ({ name, value }) => ({ name: name.startsWith("mlflow.") ? name : `${prefix}${name}`, value });
}

/** What the graph takes of it: 200 entries, the first of each name, long values cut. */
export function fitting<T extends { name: string; value: string | number }>(
  entries: readonly T[],
  what: string,
  notes: string[],
): T[] {
  const taken = new Map<string, T>();
  const left: string[] = [];
  for (const entry of entries) {
    const { name, value } = entry;
    if (taken.has(name) || name.length === 0 || name.length > LONGEST_NAME || taken.size === MOST_ENTRIES) {
      left.push(name);
    } else if (typeof value === "string" && value.length > LONGEST_VALUE) {
      taken.set(name, { ...entry, value: `${value.slice(0, LONGEST_VALUE - 1)}…` });
      notes.push(`${what} ${name} is cut to ${LONGEST_VALUE} characters`);
    } else taken.set(name, entry);
  }
  if (left.length > 0) {
    const some = left.slice(0, 5).map((name) => name.slice(0, 40));
    notes.push(
      `${left.length} ${what}s are left behind: ${some.join(", ")}${left.length > 5 ? ", ..." : ""}`,
    );
  }
  return [...taken.values()];
}
