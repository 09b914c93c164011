import type { MlflowVersion } from "./mlflow-estate.js";

export type Stage = "NONE" | "STAGING" | "PRODUCTION" | "ARCHIVED";
/** By alias, in lower case; NONE: it stays a name. */
export type AliasStages = ReadonlyMap<string, Stage>;

export interface PlannedStage {
  stage: Stage;
  /** For the history of the model. */
  reason: string;
}

/** What aliases usually mean. */
export const USUAL_ALIASES: AliasStages = new Map([
  ["production", "PRODUCTION"],
  ["champion", "PRODUCTION"],
  ["staging", "STAGING"],
  ["challenger", "STAGING"],
]);

/**
 * Which stage each version of a model gets, by its number. A stage of MLflow's wins over an alias; where MLflow has
 * several versions in one of the stages that hold a single one here, the newest stays and the others are archived.
 */
export function planStages(
  versions: readonly MlflowVersion[],
  aliases: AliasStages,
): Map<number, PlannedStage> {
  const plan = new Map<number, PlannedStage>();
  for (const { number, stage } of versions) {
    if (stage === "None") continue;
    plan.set(number, { stage: stage.toUpperCase() as Stage, reason: `it was in ${stage} in MLflow` });
  }
  for (const stage of ["PRODUCTION", "STAGING"] as const) {
    const holders = [...plan].filter(([, planned]) => planned.stage === stage).map(([number]) => number);
    const newest = Math.max(...holders);
    for (const number of holders.filter((each) => each !== newest)) {
      const reason = `in MLflow it was in ${titled(stage)} beside version ${newest}, which is newer`;
      plan.set(number, { stage: "ARCHIVED", reason });
    }
    if (holders.length === 0) planByAlias(versions, aliases, stage, plan);
  }
  return plan;
}

function planByAlias(
  versions: readonly MlflowVersion[],
  aliases: AliasStages,
  stage: Stage,
  plan: Map<number, PlannedStage>,
): void {
  for (const [alias, meant] of aliases) {
    if (meant !== stage) continue;
    const holder = versions.find((version) => version.aliases.some((name) => name.toLowerCase() === alias));
    if (!holder || plan.has(holder.number)) continue;
    plan.set(holder.number, { stage, reason: `its alias in MLflow was ${alias}` });
    return;
  }
}

function titled(stage: string): string {
  return stage.charAt(0) + stage.slice(1).toLowerCase();
}
