/** A registry of models that MLflow keeps: behind a tracking server, or in a folder. */
export interface MlflowEstate {
  /** Where it is, without credentials. */
  readonly place: string;
  /** Registered models without their prompts, by name. */
  models(): Promise<MlflowModel[]>;
  /** Of one model, the oldest first. */
  versions(model: MlflowModel): Promise<MlflowVersion[]>;
  /** What was logged where the version was made; empty where nothing is known of it. */
  facts(version: MlflowVersion): Promise<MlflowFacts>;
  /** @throws {UnreachableArtifact} where no way leads to its files */
  artifact(version: MlflowVersion): Promise<ArtifactFolder>;
}

export interface Entry {
  name: string;
  value: string;
}

export interface MlflowModel {
  name: string;
  description?: string;
  tags: Entry[];
  aliases: { alias: string; version: number }[];
}

export const MLFLOW_STAGES = ["None", "Staging", "Production", "Archived"] as const;
export type MlflowStage = (typeof MLFLOW_STAGES)[number];

export interface MlflowVersion {
  model: string;
  number: number;
  /** Milliseconds since 1970. */
  createdAt: number;
  stage: MlflowStage;
  aliases: string[];
  description?: string;
  tags: Entry[];
  runId?: string;
  /** MLflow 3: the logged model behind it. */
  modelId?: string;
  source: string;
  /** Where its files are, when that is not the source. */
  location?: string;
}

export interface MlflowFacts {
  metrics: { name: string; value: number }[];
  parameters: Entry[];
  tags: Entry[];
}

/** The files of one version; `close` when they are not needed any more. */
export interface ArtifactFolder {
  /**
   * @param path relative, with /
   * @returns where the file lies on this machine, or undefined when there is none
   */
  find(path: string): Promise<string | undefined>;
  /** Names of the files at its top; empty where nobody can say. */
  names(): Promise<string[]>;
  close(): Promise<void>;
}

/** Files that cannot be had, with what their owner can do. */
export class UnreachableArtifact extends Error {
  override readonly name = "UnreachableArtifact";
}

/** Python writes nan and inf, JSON of MLflow "NaN" and "Infinity". */
export function toNumber(value: unknown): number {
  if (typeof value === "number") return value;
  const text = String(value).trim();
  const word = text.toLowerCase().replace(/^[+-]/, "");
  if (word === "inf" || word === "infinity") return text.startsWith("-") ? -Infinity : Infinity;
  return text === "" ? NaN : Number(text);
}

export function toStage(text: string | undefined): MlflowStage {
  return MLFLOW_STAGES.find((stage) => stage.toLowerCase() === text?.toLowerCase()) ?? "None";
}

/** The first of each name. */
export function distinct<T extends { name: string }>(entries: readonly T[]): T[] {
  const seen = new Set<string>();
  return entries.filter(({ name }) => !seen.has(name) && seen.add(name));
}

/** MLflow keeps prompts as registered models, too. */
export function isPrompt(tags: readonly Entry[]): boolean {
  return tags.some(({ name, value }) => name === "mlflow.prompt.is_prompt" && value.toLowerCase() === "true");
}

/** Paths come from files of MLflow: none may lead out of the folder. */
export function isWithin(path: string): boolean {
  return (
    !path.includes("\\") && !path.split("/").some((part) => part === "" || part === "." || part === "..")
  );
}
