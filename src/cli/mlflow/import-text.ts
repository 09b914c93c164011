import type { Terminal } from "../terminal.js";
import { hasChanged, hasFailed } from "./import-outcome.js";
import type { ModelOutcome, VersionOutcome, VersionResult } from "./import-outcome.js";

const WORDS: Record<VersionResult, string> = {
  IMPORTED: "imported",
  UNCHANGED: "was there already",
  PLANNED: "would come",
  NOT_ONNX: "not ONNX",
  UNREACHABLE: "not reachable",
  REJECTED: "rejected",
  REFUSED: "not taken",
};

/** What people read: a table of all versions, then what is left to do. */
export function importText(
  terminal: Terminal,
  place: string,
  models: readonly ModelOutcome[],
  dryRun: boolean,
): string {
  const all = models.flatMap((model) => model.versions.map((version) => ({ model, version })));
  if (models.length === 0) return `${place} has no registered models`;
  const sections = [
    terminal.table(
      ["MLflow", "version", "stage", "aliases", "here", "version", "stage", ""],
      all.map(({ model, version }) => [
        ...[model.mlflow, version.mlflow, version.mlflowStage, version.aliases.join(", ")],
        ...[model.model, version.number, stageText(version), WORDS[version.result]],
      ]),
      [1, 5],
    ),
    section(
      "Not ONNX; export it, then: 254carbon register model.onnx --model NAME",
      all.flatMap(({ model, version }) =>
        version.export === null
          ? []
          : [
              `${model.mlflow} ${version.mlflow} (${version.flavours.join(", ") || "no MLmodel"}): ${version.export}`,
            ],
      ),
    ),
    section(
      "Did not come",
      all.flatMap(({ model, version }) =>
        version.reason === null ? [] : [`${model.mlflow} ${version.mlflow}: ${version.reason}`],
      ),
    ),
    section(
      "Notes",
      models.flatMap((model) => [
        ...model.versions.flatMap(({ mlflow, notes }) =>
          notes.map((note) => `${model.mlflow} ${mlflow}: ${note}`),
        ),
        ...model.notes.map((note) => `${model.mlflow}: ${note}`),
      ]),
    ),
    summary(models, dryRun),
  ];
  return sections.filter((text) => text !== "").join("\n\n");
}

function stageText({ stage, pending, number, result }: VersionOutcome): string | null {
  if (number === null && result !== "PLANNED") return null;
  return pending ? `${stage}, waits for approval` : stage;
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : [`${title}:`, ...lines.map((line) => `  ${line}`)].join("\n");
}

function summary(models: readonly ModelOutcome[], dryRun: boolean): string {
  const versions = models.flatMap((model) => model.versions);
  const count = (result: VersionResult) => versions.filter((version) => version.result === result).length;
  const counts = [
    dryRun ? `${count("PLANNED")} would come` : `${count("IMPORTED")} imported`,
    `${count("UNCHANGED")} there already`,
    `${count("NOT_ONNX")} not ONNX`,
    `${versions.filter(hasFailed).length} failed`,
  ];
  const changed = dryRun || !models.some(hasChanged) ? "; nothing was changed" : "";
  return `${models.length} models, ${versions.length} versions: ${counts.join(", ")}${changed}`;
}
