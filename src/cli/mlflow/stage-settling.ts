import type { CliContext } from "../command.js";
import { CommandFailure } from "../command-failure.js";
import { isHere } from "./import-outcome.js";
import type { ModelOutcome, VersionOutcome } from "./import-outcome.js";
import type { KnownModel } from "../known-model.js";
import { isImportOf, movedVersions } from "./platform-registry.js";
import type { PlannedStage, Stage } from "./stage-plan.js";

type Exclusive = "STAGING" | "PRODUCTION";

/** What leaves the others as they are comes first. */
const ORDER: Stage[] = ["ARCHIVED", "STAGING", "PRODUCTION"];
const OF_ONE_CHANGE = new Set(["CONFLICT", "PRECONDITION_FAILED", "FORBIDDEN"]);

/** Puts imported versions where MLflow had them, each of them once: what was moved here since stays where it is. */
export class StageSettling {
  private readonly holders: Record<Exclusive, number>;

  constructor(
    private readonly context: CliContext,
    private readonly outcome: ModelOutcome,
    private readonly plan: ReadonlyMap<number, PlannedStage>,
    private readonly known: KnownModel | undefined,
  ) {
    this.holders = {
      PRODUCTION: known?.production?.number ?? 0,
      STAGING: known?.staging?.number ?? 0,
    };
  }

  /** With `dryRun` it only says where each version would go. */
  async settle(dryRun: boolean): Promise<void> {
    const { versions, model } = this.outcome;
    for (const version of versions.filter(({ result }) => result === "PLANNED")) {
      version.stage = this.plan.get(version.mlflow)?.stage ?? "NONE";
    }
    const waiting = versions.filter((version) => this.isWaiting(version));
    const moved = waiting.length > 0 ? await movedVersions(this.context, model) : new Set<number>();
    for (const stage of ORDER) {
      for (const version of versions) {
        const planned = this.plan.get(version.mlflow);
        if (planned?.stage !== stage) continue;
        if (!isHere(version)) this.noteMissing(version, planned);
        else if (waiting.includes(version) && !moved.has(version.number!)) {
          if (dryRun) version.notes.push(`goes to ${stage}: ${planned.reason}`);
          else await this.move(version, planned);
        } else if (version.result === "UNCHANGED" && version.stage !== stage) {
          version.notes.push(`is ${version.stage} here, where it was moved; ${planned.reason}`);
        }
      }
    }
  }

  /** Only what has never left NONE may have to be moved. */
  private isWaiting({ mlflow, number, result, stage }: VersionOutcome): boolean {
    return number !== null && result !== "REJECTED" && stage === "NONE" && this.plan.has(mlflow);
  }

  private async move(version: VersionOutcome, { stage, reason }: PlannedStage): Promise<void> {
    if (stage === "PRODUCTION" && this.known?.pendingPromotion?.version.number === version.number) {
      version.pending = true;
      return;
    }
    const exclusive = stage === "PRODUCTION" || stage === "STAGING" ? stage : undefined;
    const holder = exclusive && this.holders[exclusive];
    if (holder && !this.isOurs(holder)) {
      this.fail(version, `stays NONE: ${stage} holds version ${holder}, which did not come from MLflow`);
      return;
    }
    const input = {
      model: this.outcome.model,
      number: version.number!,
      stage,
      reason,
      expectedCurrent: holder,
    };
    try {
      const { promoteModelVersion: done } = await this.context.graph.execute("promote-model-version", {
        input,
      });
      version.pending = done.pending;
      if (done.pending) return;
      version.moved = true;
      version.stage = stage;
      if (exclusive) this.holders[exclusive] = version.number!;
      const retired = this.outcome.versions.find(({ number }) => number === done.transition.retired?.number);
      if (retired && done.transition.retired) retired.stage = "ARCHIVED";
    } catch (error) {
      if (!(error instanceof CommandFailure) || !OF_ONE_CHANGE.has(error.code)) throw error;
      this.fail(version, `stays NONE, not ${stage}: ${error.message}`);
    }
  }

  private isOurs(number: number): boolean {
    const known = this.known?.versions.find((version) => version.number === number);
    return !known || isImportOf(this.outcome.mlflow, known);
  }

  private fail(version: VersionOutcome, note: string): void {
    version.notes.push(note);
    this.outcome.failures++;
  }

  private noteMissing({ mlflow }: VersionOutcome, { stage, reason }: PlannedStage): void {
    if (stage === "ARCHIVED") return;
    this.outcome.notes.push(
      `${stage} stays as it is: version ${mlflow} did not come (${reason}), and no other is put in its place`,
    );
  }
}
