import type { Command } from "commander";
import type { CliCommand, CliContext } from "../command.js";
import { CommandFailure, UsageError } from "../command-failure.js";
import { openDocuments } from "../document-lines.js";
import { IngestRun } from "../ingest-run.js";
import type { IngestTotals } from "../ingest-run.js";
import { count } from "../option-parsers.js";

/** The platform takes as many documents in a request. */
const LARGEST_BATCH = 1000;

export interface IngestOptions {
  collection: string;
  create?: boolean;
  language?: string;
  embedder?: string;
  batch: number;
  wait: boolean;
}

export const ingest: CliCommand<IngestOptions> = {
  usage: "ingest <file>",
  summary: "Bring documents into a collection: a line of JSON each (also .gz, or - for standard input).",
  examples: [
    "254carbon ingest notes.jsonl --collection notes",
    "254carbon ingest corpus.jsonl.gz --collection papers --create --embedder minilm",
    "export-notes | 254carbon ingest - --collection notes --no-wait",
  ],
  configure(command: Command) {
    command
      .requiredOption("--collection <collection>", "the collection")
      .option("--create", "create the collection when there is none")
      .option("--language <language>", "of a new collection, e.g. german or simple (default: english)")
      .option(
        "--embedder <model>",
        "model that embeds a new collection (default: none, search by words only)",
      )
      .option("--batch <number>", `documents in a request, at most ${LARGEST_BATCH}`, count, 200)
      .option("--no-wait", "do not wait until all is embedded")
      .addHelpText(
        "after",
        '\nA line: {"key": "ttf/1", "title": "...", "text": "...", "metadata": {"commodity": "gas"}, ' +
          '"publishedAt": "2026-01-05T09:00:00Z"}; key (or _id) and text are needed.' +
          "\nA run that was interrupted can be started again: what is stored already is left alone.",
      );
  },
  async run(context, options, [path]) {
    const { collection, batch, wait } = options;
    if (batch > LARGEST_BATCH) throw new UsageError(`--batch is ${LARGEST_BATCH} at most`);
    const source = await openDocuments(path!);
    const created = await ensureCollection(context, options);
    const progress = context.terminal.progress(`ingesting ${collection}`);
    let totals: IngestTotals;
    try {
      totals = await new IngestRun(context.graph, { collection, batch, wait }, progress).of(source);
    } finally {
      progress.stop();
    }
    return {
      data: { collection, collectionCreated: created, ...totals },
      text: textOf(collection, totals, wait),
      exitCode: totals.failures.length > 0 ? 1 : 0,
    };
  },
};

/** @returns whether it is new */
async function ensureCollection(
  { graph }: Pick<CliContext, "graph">,
  { collection: name, create, language, embedder }: IngestOptions,
): Promise<boolean> {
  if (!create && (language !== undefined || embedder !== undefined)) {
    throw new UsageError("--language and --embedder are those of a new collection: add --create");
  }
  const { collection } = await graph.execute("collection", { name });
  if (!collection) {
    if (!create) throw new CommandFailure("NOT_FOUND", `no collection "${name}"; --create makes one`);
    await graph.execute("create-collection", { input: { name, language, embedder } });
    return true;
  }
  if (language !== undefined && language !== collection.language) {
    throw new UsageError(
      `${name} is in ${collection.language}, not in ${language}; a collection keeps its language`,
    );
  }
  const model = collection.embedderModel?.name;
  if (embedder !== undefined && embedder !== model) {
    throw new UsageError(`${name} exists, and is embedded by ${model ?? "no model"}, not by ${embedder}`);
  }
  return false;
}

function textOf(collection: string, totals: IngestTotals, waited: boolean): string {
  const { created, updated, unchanged, embedded, failures } = totals;
  const lines = [
    `${collection}: ${created + updated + unchanged} documents: ` +
      `${created} created, ${updated} updated, ${unchanged} unchanged` +
      (waited && failures.length > 0 ? `; ${embedded} embedded` : ""),
    ...failures.map(({ job, state, error }) => `job ${job}: ${state}${error === null ? "" : `, ${error}`}`),
  ];
  if (failures.length > 0) {
    lines.push("Their documents are stored; run it again, or retry the jobs, to embed them.");
  }
  return lines.join("\n");
}
