import { ConflictError, InvalidInputError, PreconditionFailedError } from "../../shared/errors.js";
import type { ModelVersionRow, Stage } from "./model-version.entity.js";
import type { StageTransitionRow } from "./stage-transition.entity.js";

/** Stages that hold one version of a model at most. */
export function isExclusive(stage: Stage): boolean {
  return stage === "PRODUCTION" || stage === "STAGING";
}

/**
 * Stages whose grant a change needs: the one that is entered, and production when it is left. Where neither stage
 * holds one version, or one only leaves staging, it is the one of the two that counts.
 */
export function stagesTouched(from: Stage, to: Stage): Stage[] {
  const touched = new Set<Stage>();
  if (isExclusive(to)) touched.add(to);
  if (from === "PRODUCTION" || (from === "STAGING" && !isExclusive(to))) touched.add(from);
  return touched.size > 0 ? [...touched] : [to];
}

/**
 * @param expectedCurrent number of the version that the caller believes is in the stage; 0: none
 * @throws {PreconditionFailedError} for a version that is not READY, or whose artifact is gone
 * @throws {ConflictError} when another version is in the stage than expected
 */
export function assertMayEnter(
  candidate: Pick<ModelVersionRow, "number" | "status" | "artifactRemovedAt">,
  stage: Stage,
  incumbent: Pick<ModelVersionRow, "number"> | undefined,
  expectedCurrent: number | null | undefined,
): void {
  if (candidate.status !== "READY") {
    throw new PreconditionFailedError(
      `version ${candidate.number} is ${candidate.status}; only a READY one has a stage`,
    );
  }
  assertArtifactKept(candidate);
  if (expectedCurrent == null) return;
  if (!isExclusive(stage)) {
    throw InvalidInputError.at("input.expectedCurrent", `${stage} holds many versions; leave it out`);
  }
  assertExpected(incumbent, stage, expectedCurrent);
}

/** @throws {ConflictError} when another version is in the stage than expected */
export function assertExpected(
  incumbent: Pick<ModelVersionRow, "number"> | undefined,
  stage: Stage,
  expectedCurrent: number | null | undefined,
): void {
  const current = incumbent?.number ?? 0;
  if (expectedCurrent == null || expectedCurrent === current) return;
  throw new ConflictError(
    `input.expectedCurrent: ${stage} holds ${current === 0 ? "no version" : `version ${current}`}, not ${expectedCurrent}`,
    { field: "input.expectedCurrent" },
  );
}

/** @throws {PreconditionFailedError} when a cleanup has removed the version's artifact */
export function assertArtifactKept(version: Pick<ModelVersionRow, "number" | "artifactRemovedAt">): void {
  if (version.artifactRemovedAt === null) return;
  throw new PreconditionFailedError(
    `the artifact of version ${version.number} was removed by a cleanup at ${version.artifactRemovedAt.toISOString()}`,
  );
}

type ProductionStep = Pick<StageTransitionRow, "kind" | "versionId" | "from" | "to">;

/**
 * The version that a rollback puts back. The history of production is a stack: a promotion into it
 * pushes a version, leaving it without a successor pushes nobody, a rollback pops.
 * @param history every transition of the model, oldest first
 * @param gone versions whose artifacts a cleanup has removed: they are passed over
 * @returns undefined when there is none left
 */
export function rollbackTarget(
  history: readonly ProductionStep[],
  gone: ReadonlySet<string> = new Set(),
): string | undefined {
  const stack: (string | null)[] = [];
  for (const step of history) {
    if (step.kind === "ROLLBACK") {
      stack.pop();
      while (stack.length > 0 && stack.at(-1) !== step.versionId) stack.pop();
    } else if (step.to === "PRODUCTION") {
      stack.push(step.versionId);
    } else if (step.from === "PRODUCTION") {
      stack.push(null);
    }
  }
  popToPrevious(stack, gone);
  return stack.at(-1) ?? undefined;
}

/** Drops the top, and what lies below it up to the next version that is another one and still there. */
function popToPrevious(stack: (string | null)[], gone: ReadonlySet<string>): void {
  const current = stack.pop();
  const isNoTarget = (top: string | null) => top === null || top === current || gone.has(top);
  while (stack.length > 0 && isNoTarget(stack.at(-1) ?? null)) stack.pop();
}
