import type { Stage } from "./stage-plan.js";

export type VersionResult =
  | "IMPORTED"
  | "UNCHANGED"
  /** With --dry-run. */
  | "PLANNED"
  | "NOT_ONNX"
  | "UNREACHABLE"
  | "REJECTED"
  | "REFUSED";

export interface VersionOutcome {
  /** MLflow's number, and the number here; null where it did not come. */
  mlflow: number;
  number: number | null;
  result: VersionResult;
  /** Here; with --dry-run, where it would go. */
  stage: Stage | null;
  /** Whether this run put it there. */
  moved: boolean;
  /** A second person must approve it first. */
  pending: boolean;
  mlflowStage: string;
  aliases: string[];
  /** NOT_ONNX: MLflow's flavours, and how such a model becomes an ONNX graph. */
  flavours: string[];
  export: string | null;
  /** Why it did not come. */
  reason: string | null;
  notes: string[];
}

export interface ModelOutcome {
  mlflow: string;
  model: string;
  /** Whether this run registered it. */
  registered: boolean;
  versions: VersionOutcome[];
  notes: string[];
  /** Stages that could not be set, among the notes. */
  failures: number;
}

/** Whether the platform has it, or would. */
export function isHere({ result }: VersionOutcome): boolean {
  return result === "IMPORTED" || result === "UNCHANGED" || result === "PLANNED";
}

export function hasFailed({ result }: VersionOutcome): boolean {
  return result === "UNREACHABLE" || result === "REJECTED" || result === "REFUSED";
}

export function hasChanged({ registered, versions }: ModelOutcome): boolean {
  return registered || versions.some(({ result, moved }) => result === "IMPORTED" || moved);
}
