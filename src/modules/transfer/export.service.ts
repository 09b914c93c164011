import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Database, Transaction } from "../../ports/database.js";
import type { ObjectStore } from "../../ports/object-store.js";
import { PreconditionFailedError } from "../../shared/errors.js";
import { OutboxRepository } from "../operations/index.js";
import { exportedTables } from "./exported-tables.js";
import type { ExportedTable } from "./exported-tables.js";
import { writeTableFile } from "./table-file.js";
import { TableRepository } from "./table.repository.js";
import { artifactFile, manifestFile, tableFile } from "./transfer-folder.js";
import { createManifest } from "./transfer-manifest.js";
import type { TableContents, TransferManifest, TransferredArtifact } from "./transfer-manifest.js";
import { TransferRepository } from "./transfer.repository.js";
import type { ReferredArtifact } from "./transfer.repository.js";

export interface ExportOptions {
  /** Whether the prediction log travels, which may be the largest part. */
  predictions: boolean;
}

/** Writes all that matters of a platform into a folder that any tier can import. */
export class ExportService {
  constructor(
    private readonly database: Database,
    private readonly store: ObjectStore,
    /** Its version. */
    private readonly platform: string,
    private readonly report: (line: string) => void,
  ) {}

  /**
   * The folder appears whole or not at all.
   * @throws {PreconditionFailedError} when it is there already, or an artifact of a READY version is missing
   */
  async export(path: string, { predictions }: ExportOptions): Promise<TransferManifest> {
    const folder = resolve(path);
    if (await exists(folder)) throw new PreconditionFailedError(`${folder} exists; export into a new folder`);
    const draft = `${folder}.incomplete`;
    await rm(draft, { recursive: true, force: true });
    for (const part of ["tables", "artifacts"]) {
      await mkdir(join(draft, part), { recursive: true, mode: 0o700 });
    }
    const tables = exportedTables.filter((table) => predictions || !table.predictions);
    const exportedAt = new Date().toISOString();
    const { contents, referred, eventsUntil } = await this.readTables(draft, tables);
    const artifacts = await this.copyArtifacts(draft, referred);
    const about = { platform: this.platform, exportedAt, predictions, eventsUntil };
    const text = createManifest({ ...about, tables: contents, artifacts });
    await writeFile(manifestFile(draft), text, { flush: true });
    await rename(draft, folder);
    return JSON.parse(text) as TransferManifest;
  }

  /** All tables as they are at one moment. */
  private readTables(
    draft: string,
    tables: readonly ExportedTable[],
  ): Promise<{ contents: TableContents[]; referred: ReferredArtifact[]; eventsUntil: string }> {
    return this.database.dataSource.transaction("REPEATABLE READ", async (tx) => {
      await tx.query("SET TRANSACTION READ ONLY");
      const transfer = new TransferRepository(tx);
      await transfer.prepare();
      const contents: TableContents[] = [];
      for (const table of tables) contents.push(await this.readTable(tx, draft, table));
      const { transactionId } = await new OutboxRepository(tx).end();
      return { contents, referred: await transfer.artifacts(), eventsUntil: String(transactionId) };
    });
  }

  private async readTable(
    tx: Transaction,
    draft: string,
    { name, values }: ExportedTable,
  ): Promise<TableContents> {
    const table = new TableRepository(tx, name);
    const columns = await table.columns();
    const identities: Record<string, string | null> = {};
    for (const { name: column } of columns.filter(({ identity }) => identity)) {
      identities[column] = await table.lastIdentity(column);
    }
    const { rows, sha256 } = await writeTableFile(tableFile(draft, name), table.rows(columns, values));
    this.report(`${name}: ${rows} rows`);
    const [first, ...others] = columns.map(({ name: column }) => column);
    return { name, columns: [first!, ...others], rows, sha256, identities };
  }

  private async copyArtifacts(
    draft: string,
    referred: readonly ReferredArtifact[],
  ): Promise<TransferredArtifact[]> {
    const copied: TransferredArtifact[] = [];
    for (const { sha256, bytes, needed, version } of referred) {
      if ((await this.store.size(sha256)) === undefined) {
        // Announced, and never uploaded.
        if (!needed) continue;
        throw new PreconditionFailedError(
          `the artifact ${sha256} of ${version} is missing in the object store: restore it from the mirror first`,
        );
      }
      const hash = createHash("sha256");
      await pipeline(
        await this.store.read(sha256),
        async function* (content: AsyncIterable<Uint8Array>) {
          for await (const chunk of content) {
            hash.update(chunk);
            yield chunk;
          }
        },
        createWriteStream(artifactFile(draft, sha256), { flags: "wx", flush: true }),
      );
      if (hash.digest("hex") !== sha256) {
        throw new PreconditionFailedError(
          `the artifact ${sha256} of ${version} is damaged in the object store: restore it from the mirror first`,
        );
      }
      copied.push({ sha256, bytes });
    }
    this.report(`artifacts: ${copied.length} files`);
    return copied;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );
}
