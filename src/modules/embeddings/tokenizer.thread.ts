import { readFile } from "node:fs/promises";
import { parentPort } from "node:worker_threads";
import { LRUCache } from "lru-cache";
import { TextTokenizer } from "./text-tokenizer.rules.js";
import { performTask } from "./tokenizer-task.rules.js";
import type { TokenizerReply, TokenizerRequest } from "./tokenizer-thread.js";

/** A multilingual vocabulary takes hundreds of megabytes. */
const MOST_TOKENIZERS = 4;
const tokenizers = new LRUCache<string, TextTokenizer>({ max: MOST_TOKENIZERS });
const port = parentPort!;

async function answer({ id, file, task }: TokenizerRequest): Promise<TokenizerReply> {
  try {
    let tokenizer = tokenizers.get(file.key);
    if (!tokenizer) {
      tokenizer = new TextTokenizer(await readFile(file.path, "utf8"));
      tokenizers.set(file.key, tokenizer);
    }
    return { id, ok: true, value: performTask(tokenizer, task) };
  } catch (error) {
    return { id, ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}

let last = Promise.resolve();
port.on("message", (request: TokenizerRequest) => {
  last = last.then(async () => port.postMessage(await answer(request)));
});
