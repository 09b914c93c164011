import { text } from "node:stream/consumers";
import type { Archive } from "../../ports/archive.js";
import { NotFoundError } from "../../shared/errors.js";
import type { Seal } from "./seal.rules.js";
import { deriveHeadKey, openHead, signHead } from "./signed-head.rules.js";
import type { HeadKey, SignedHead } from "./signed-head.rules.js";

const HEADS = "audit/heads/";
const DAY_MS = 86_400_000;
/** Of each day before, only the last one is kept. */
const ALL_KEPT_DAYS = 7;
/** A month's entries stay until all of it has had its time. */
const LONGEST_MONTH_DAYS = 31;

/** A head as it was found, and what it says when its signature holds. */
export interface FoundHead {
  name: string;
  head?: SignedHead;
}

/** Signed heads of the chain, in the object store: out of reach of whoever has only the database. */
export class HeadArchive {
  constructor(
    private readonly archive: Archive,
    /** Secrets that keys are derived from, as they are now; the first one's signs. */
    private readonly secrets: () => Promise<readonly Uint8Array[]>,
    /** Processes that sign in one such span write to one name. */
    private readonly spanMs: number,
  ) {}

  /** A head of a later seal that has the name stays: it tells that the end of the chain was cut off since. */
  async write(seal: Pick<Seal, "number" | "digest">, now = new Date()): Promise<void> {
    const slot = new Date(Math.floor(now.getTime() / this.spanMs) * this.spanMs);
    const name = `${HEADS}${slot.toISOString().replaceAll(/[-:]|\.000/g, "")}.json`;
    const keys = await this.keys();
    const there = await this.readOne(name, keys);
    if (there && BigInt(there.number) > seal.number) return;
    await this.archive.storeText(name, signHead(seal, now, keys[0]!));
  }

  private async readOne(name: string, keys: readonly HeadKey[]): Promise<SignedHead | undefined> {
    try {
      return openHead(await text(await this.archive.read(name)), keys);
    } catch (error) {
      if (error instanceof NotFoundError) return undefined;
      throw error;
    }
  }

  /** Oldest first. */
  async *read(): AsyncGenerator<FoundHead> {
    const keys = await this.keys();
    for (const name of await this.names()) {
      const content = await text(await this.archive.read(name));
      yield { name, head: openHead(content, keys) };
    }
  }

  /** Removes what nothing can be compared with any more, and thins out what is old. */
  async trim(keepDays: number, now = new Date()): Promise<void> {
    const dateBefore = (days: number) =>
      new Date(now.getTime() - days * DAY_MS).toISOString().slice(0, 10).replaceAll("-", "");
    const oldest = dateBefore(keepDays + LONGEST_MONTH_DAYS);
    const allKept = dateBefore(ALL_KEPT_DAYS);
    const names = await this.names();
    for (const [i, name] of names.entries()) {
      const date = dateOf(name);
      const superseded = date < allKept && i + 1 < names.length && dateOf(names[i + 1]!) === date;
      if (date < oldest || superseded) await this.archive.remove(name);
    }
  }

  private async keys(): Promise<HeadKey[]> {
    return (await this.secrets()).map(deriveHeadKey);
  }

  private async names(): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of this.archive.list(HEADS)) names.push(name);
    return names.sort();
  }
}

function dateOf(name: string): string {
  return name.slice(HEADS.length, HEADS.length + 8);
}
