import type { Command } from "commander";
import type { CollectionState, ServingEmbedder } from "../collection-operations.js";
import type { CliCommand, CliContext, CommandResult } from "../command.js";
import { CommandFailure } from "../command-failure.js";
import { detachable } from "../detachable.js";
import { followJob } from "../follow-job.js";

const EXIT_INTERRUPTED = 130;

export interface ReindexOptions {
  embedder?: string;
  wait: boolean;
}

export const reindex: CliCommand<ReindexOptions> = {
  usage: "reindex <collection>",
  summary: "Embed a collection anew, with its embedder or another one; searches go on meanwhile.",
  examples: ["254carbon reindex notes", "254carbon reindex notes --embedder minilm"],
  configure(command: Command) {
    command
      .option("--embedder <model>", "let this model embed the collection from now on")
      .option("--no-wait", "print the job's id and return at once");
  },
  async run(context, { embedder, wait }, [name]) {
    const collection = await requireCollection(context, name!);
    const job =
      embedder === undefined
        ? (await context.graph.execute("reindex-collection", { input: { collection: name! } }))
            .reindexCollection.job.id
        : await changeEmbedder(context, collection, embedder);
    if (job === null) return resultOf(context, name!, null);
    if (!wait) {
      return { data: { job }, text: `job ${job}; see it with: 254carbon jobs --kind reindex-collection` };
    }
    const ended = await detachable(context.terminal, "Detach and let the reindex go on?", (signal) =>
      followJob(context, job, `reindexing ${name}`, signal),
    );
    if (!ended) {
      return { data: { job, detached: true }, text: `job ${job} goes on`, exitCode: EXIT_INTERRUPTED };
    }
    if (ended.state !== "COMPLETED") {
      throw new CommandFailure(
        ended.state,
        `job ${job} ended ${ended.state}: ${ended.error ?? "no reason given"}; what served before serves on`,
      );
    }
    return resultOf(context, name!, job);
  },
};

/** @returns the reindex that leads there, unless the embedder serves already or has no version to serve */
async function changeEmbedder(
  { graph }: CliContext,
  { name: collection, reindex: before }: CollectionState,
  embedder: string,
): Promise<string | null> {
  const { setCollectionEmbedder: changed } = await graph.execute("set-collection-embedder", {
    input: { collection, embedder },
  });
  const { reindex: job } = changed.collection;
  const ended = job !== null && ["COMPLETED", "FAILED", "CANCELLED"].includes(job.state);
  return job === null || (ended && job.id === before?.id) ? null : job.id;
}

async function resultOf(context: CliContext, name: string, job: string | null): Promise<CommandResult> {
  const { embedder, embedderModel } = await requireCollection(context, name);
  const text =
    embedder !== null && embedder.model.name === embedderModel?.name
      ? `${name} is searched by ${textOf(embedder)}`
      : `${name} waits for a version of ${embedderModel!.name} in production; until then it is searched by ${
          embedder === null ? "words only" : textOf(embedder)
        }`;
  return { data: { job, embedder }, text };
}

function textOf({ model, number }: ServingEmbedder): string {
  return `${model.name} version ${number}`;
}

async function requireCollection({ graph }: CliContext, name: string): Promise<CollectionState> {
  const { collection } = await graph.execute("collection", { name });
  if (!collection) throw new CommandFailure("NOT_FOUND", `no collection "${name}"`);
  return collection;
}
