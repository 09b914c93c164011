import { dirname, join } from "node:path";
import type { InferenceRuntime } from "../../ports/inference-runtime.js";
import type { VersionCheck } from "../models/index.js";
import { planTrials, settleEmbedder } from "./embedder-trials.rules.js";
import { UnfitEncoderError, describeEncoder } from "./encoder-signature.rules.js";
import { UnfitTokenizerError } from "./tokenizer.rules.js";
import { tryTokenizer } from "./try-tokenizer.js";

const SAMPLE = "The price of natural gas rose by 4.5 % in a cold winter.";

/** What a version must be to embed texts: its tokenizer and its graph are tried together, and its options settled. */
export function embedderCheck(runtime: InferenceRuntime): VersionCheck {
  return async ({ source, signature, embedder }) => {
    const request = embedder!;
    try {
      const encoder = describeEncoder(signature, request);
      const facts = await tryTokenizer({
        path: join(dirname(source.path), "tokenizer.json"),
        sample: SAMPLE,
        prefixes: [request.queryPrefix, request.passagePrefix],
      });
      const trials = planTrials(encoder, facts, request);
      const validation = await runtime.validate(source, trials);
      if (!validation.ok) return validation;
      return { ok: true, embedder: settleEmbedder(encoder, facts, request, trials, validation.trials) };
    } catch (error) {
      if (!(error instanceof UnfitEncoderError || error instanceof UnfitTokenizerError)) throw error;
      return { ok: false, rejection: error.message };
    }
  };
}
