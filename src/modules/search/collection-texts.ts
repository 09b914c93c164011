import { createHash } from "node:crypto";
import type { Database } from "../../ports/database.js";

const PAGE = 64;

/**
 * The texts of a collection's documents, each with its title, in the order of their keys: read page by page, once.
 * Documents that came in after `until` are left out.
 */
export class CollectionTexts implements AsyncIterable<string> {
  /** Documents read so far. */
  count = 0;
  private readonly hash = createHash("sha256");

  constructor(
    private readonly database: Database,
    private readonly collectionId: number,
    private readonly until: Date,
  ) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    let after = "";
    for (;;) {
      const page = await this.read(after);
      for (const { title, text } of page) {
        const whole = title === null ? text : `${title}\n${text}`;
        this.hash.update(`${JSON.stringify(whole)}\n`);
        this.count += 1;
        yield whole;
      }
      if (page.length < PAGE) return;
      after = page.at(-1)!.key;
    }
  }

  /** SHA-256 of exactly what was read, each text as a line of JSON; call it once, at the end. */
  digest(): string {
    return this.hash.digest("hex");
  }

  private read(after: string): Promise<{ key: string; title: string | null; text: string }[]> {
    return this.database.dataSource.query(
      `SELECT key, title, text FROM documents WHERE collection_id = $1 AND key > $2 AND created_at <= $3
       ORDER BY key LIMIT ${PAGE}`,
      [this.collectionId, after, this.until],
    );
  }
}
