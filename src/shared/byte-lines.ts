import type { Readable } from "node:stream";
import { InvalidInputError } from "./errors.js";

const LINE_FEED = 0x0a;

/**
 * The bytes between line feeds; nothing else ends a line.
 * @param longest bytes of a line
 * @throws {InvalidInputError} naming the line that is longer
 */
export async function* linesOf(content: Readable, longest: number): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let length = 0;
  let number = 1;
  for await (const chunk of content as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      yield Buffer.concat([...parts, chunk.subarray(start, end)]);
      [parts, length, start] = [[], 0, end + 1];
      number++;
    }
    parts.push(chunk.subarray(start));
    length += chunk.length - start;
    if (length > longest) {
      const field = `line ${number}`;
      throw new InvalidInputError(`${field} is longer than ${longest} bytes`, { field });
    }
  }
  if (length > 0) yield Buffer.concat(parts);
}
