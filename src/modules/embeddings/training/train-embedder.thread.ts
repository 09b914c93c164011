import { parentPort, workerData } from "node:worker_threads";
import { PlatformError } from "../../../shared/errors.js";
import type { EmbedderTrainingOptions } from "./embedder-training.types.js";
import type { TrainingReply, TrainingRequest } from "./train-embedder-in-thread.js";
import { trainEmbedder } from "./train-embedder.rules.js";
import { TrainingCorpus } from "./training-corpus.rules.js";

const options = workerData as EmbedderTrainingOptions;
const corpus = new TrainingCorpus();
const say = (reply: TrainingReply) => parentPort!.postMessage(reply);

parentPort!.on("message", (request: TrainingRequest) => {
  if (request.kind === "passages") {
    for (const { place, text } of request.passages) corpus.put(place, text);
    say({ kind: "read" });
    return;
  }
  try {
    const trained = trainEmbedder(corpus, options, (fraction, message) =>
      say({ kind: "progress", fraction, message }),
    );
    say({ kind: "trained", trained });
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    say({ kind: "refused", message: error.message });
  }
});
