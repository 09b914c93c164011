import { readFileSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { UnfitTokenizerError, readTokenizer, tokenIds } from "./tokenizer.rules.js";
import type { TokenizerTrial, TokenizerTrialRequest, TokenizerVerdict } from "./try-tokenizer.js";

/** Signs that few vocabularies have. */
const UNUSUAL = "☃ 𓀀";
const { path, sample, prefixes } = workerData as TokenizerTrialRequest;

function attempt(): TokenizerTrial {
  const { tokenizer, largestId, maxLength } = readTokenizer(readFileSync(path, "utf8"));
  tokenIds(tokenizer, UNUSUAL);
  const reserved = ["", ...prefixes].map((text) => tokenIds(tokenizer, text).length);
  return {
    sampleIds: tokenIds(tokenizer, sample),
    reservedTokens: Math.max(...reserved),
    largestId,
    maxLength,
  };
}

function judge(): TokenizerVerdict {
  try {
    return { ok: true, trial: attempt() };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const unfit = error instanceof UnfitTokenizerError;
    return { ok: false, fault: unfit ? message : `tokenizer.json cannot be used: ${message}` };
  }
}

parentPort!.postMessage(judge());
