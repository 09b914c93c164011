import { eventually } from "./platform.js";
import type { Answer, Platform } from "./platform.js";

export interface StartedEmbedder {
  trainEmbedder: { run: { id: string; status: string }; cursor: string };
}

export function askTrainEmbedder(
  platform: Platform,
  input: Record<string, unknown>,
): Promise<Answer<StartedEmbedder>> {
  return platform.ask(
    `mutation Train($input: TrainEmbedderInput!) {
      trainEmbedder(input: $input) { run { id status } cursor }
    }`,
    { input },
  );
}

export interface EmbedderRun {
  id: string;
  status: string;
  progress: number;
  error: string | null;
  dataSha256: string | null;
  curve: object | null;
  collection: { name: string } | null;
  backtest: object | null;
  metrics: { name: string; value: number }[];
  parameters: { name: string; value: string }[];
  finishedAt: string | null;
  version: {
    number: number;
    status: string;
    artifact: { sha256: string; files: { name: string; sha256: string }[] };
    embedder: { pooling: string; dimensions: number };
  } | null;
}

export async function embedderRun(platform: Platform, id: string): Promise<EmbedderRun> {
  const { trainingRun } = await platform.query<{ trainingRun: EmbedderRun }>(
    `query Run($id: ID!) { trainingRun(id: $id) {
      id status progress error dataSha256 finishedAt
      curve { name } collection { name } backtest { origins }
      metrics { name value } parameters { name value }
      version { number status artifact { sha256 files { name sha256 } } embedder { pooling dimensions } }
    } }`,
    { id },
  );
  return trainingRun;
}

/** The run once it has ended. */
export function endedEmbedderRun(platform: Platform, id: string, timeoutMs?: number): Promise<EmbedderRun> {
  return eventually(
    () => embedderRun(platform, id),
    ({ finishedAt }) => finishedAt !== null,
    timeoutMs,
  );
}

/** Starts a training. @throws when it is refused */
export async function startedEmbedder(
  platform: Platform,
  input: Record<string, unknown>,
): Promise<{ id: string; cursor: string }> {
  const { data, errors } = await askTrainEmbedder(platform, input);
  if (errors) throw new Error(JSON.stringify(errors));
  const { run, cursor } = data!.trainEmbedder;
  return { id: run.id, cursor };
}

/** Trains an embedder and waits for the end of the run. */
export async function trainedEmbedder(
  platform: Platform,
  input: Record<string, unknown>,
): Promise<EmbedderRun> {
  return endedEmbedderRun(platform, (await startedEmbedder(platform, input)).id);
}
