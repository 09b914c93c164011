import { setTimeout as delay } from "node:timers/promises";
import { UnavailableError } from "../../shared/errors.js";
import type { BucketContent, S3Bucket } from "./s3-bucket.js";
import { unavailable } from "./s3-client.js";

/** Interruptions in a row, without a byte between them. */
const INTERRUPTIONS = 4;
const FIRST_RETRY_MS = 100;

/**
 * The bytes from `from` to the end of `first`, asked for again from where it broke off. Either all of them come, or an
 * error: a body that ends early is never taken for the whole.
 * @throws {UnavailableError} when the store breaks off again and again
 */
export async function* resumedContent(
  bucket: S3Bucket,
  key: string,
  first: BucketContent,
  from = 0,
): AsyncGenerator<Uint8Array> {
  const { end, etag } = first;
  let content = first;
  let at = from;
  for (let interruptions = 0; ;) {
    try {
      for await (const chunk of content.body as AsyncIterable<Uint8Array>) {
        at += chunk.length;
        if (at > end + 1) throw new Error(`more than ${end + 1} bytes came`);
        interruptions = 0;
        yield chunk;
      }
      if (at === end + 1) return;
      throw new Error(`the body ended after ${at} of ${end + 1} bytes`);
    } catch (error) {
      if (++interruptions > INTERRUPTIONS || at > end) throw unavailable(error);
      await delay(FIRST_RETRY_MS * 2 ** (interruptions - 1));
      content = await reopen(bucket, key, at, end, etag);
    }
  }
}

async function reopen(
  bucket: S3Bucket,
  key: string,
  from: number,
  to: number,
  etag: string | undefined,
): Promise<BucketContent> {
  const content = await bucket.get(key, { from, to, etag });
  if (content === undefined || content === "outside" || content.end !== to) {
    throw new UnavailableError(`${key} was removed while it was read`);
  }
  return content;
}
