import { createReadStream } from "node:fs";
import type { Database, Transaction } from "../../ports/database.js";
import type { ObjectStore } from "../../ports/object-store.js";
import { InvalidInputError, PreconditionFailedError } from "../../shared/errors.js";
import { enterImport } from "../audit/index.js";
import { OutboxRepository } from "../operations/index.js";
import { rebuildLexicalIndex } from "../search/index.js";
import type { CheckedExport } from "./checked-export.js";
import { exportedTables } from "./exported-tables.js";
import { LineDigest, readTableFile } from "./table-file.js";
import { TableRepository } from "./table.repository.js";
import type { Column } from "./table.repository.js";
import { artifactFile, tableFile } from "./transfer-folder.js";
import type { TableContents, TransferManifest, TransferredArtifact } from "./transfer-manifest.js";
import { TransferRepository } from "./transfer.repository.js";

/** Lines that one statement brings in, and their length in all. */
const BATCH = { lines: 1_000, characters: 1_000_000 };

/** Brings an export into a platform that is empty. */
export class ImportService {
  constructor(
    private readonly database: Database,
    private readonly store: ObjectStore,
    private readonly report: (line: string) => void,
  ) {}

  /**
   * Artifacts first, then all rows in one transaction: one that was interrupted can be started again.
   * @throws {PreconditionFailedError} when the platform is not empty, an artifact is damaged, or the export is of a
   *   newer platform
   */
  async import({ folder, manifest }: CheckedExport): Promise<void> {
    await this.assertEmpty(this.database.dataSource.manager);
    for (const artifact of manifest.artifacts) await this.storeArtifact(folder, artifact);
    this.report(`artifacts: ${manifest.artifacts.length} files`);
    await this.database.transaction((tx) => this.writeTables(tx, folder, manifest));
  }

  private async writeTables(tx: Transaction, folder: string, manifest: TransferManifest): Promise<void> {
    const transfer = new TransferRepository(tx);
    await transfer.prepare();
    await transfer.lock(exportedTables.map(({ name }) => name));
    await this.assertEmpty(tx);
    const contents = new Map(manifest.tables.map((table) => [table.name, table]));
    for (const { name } of exportedTables) {
      const table = contents.get(name);
      if (table) await this.writeTable(tx, folder, table);
    }
    await new OutboxRepository(tx).continueAfter({ transactionId: BigInt(manifest.eventsUntil), id: 0n });
    await enterImport(tx);
    assertArtifacts(await transfer.artifacts(), manifest.artifacts);
    const documents = await rebuildLexicalIndex(tx);
    this.report(`lexical index: ${documents} documents`);
  }

  private async writeTable(tx: Transaction, folder: string, contents: TableContents): Promise<void> {
    const { name, columns } = contents;
    const table = new TableRepository(tx, name);
    const known = await table.columns();
    const unknown = columns.filter((column) => !known.some((own) => own.name === column));
    if (unknown.length > 0) {
      throw new PreconditionFailedError(
        `${name} has ${unknown.join(", ")}, which this platform does not know: import with one as new as the one that exported`,
      );
    }
    await table.referringAhead(async () => {
      for await (const lines of batchesOf(readTableFile(tableFile(folder, name)))) {
        await table.insert(columns, lines);
      }
    });
    for (const [column, last] of Object.entries(contents.identities)) {
      if (last !== null) await table.continueIdentity(column, last);
    }
    await this.compare(
      table,
      contents,
      known.filter((column) => columns.includes(column.name)),
    );
  }

  /** What the database has now is what was exported, digit by digit. */
  private async compare(
    table: TableRepository,
    { name, rows, sha256 }: TableContents,
    columns: readonly Column[],
  ): Promise<void> {
    const written = new LineDigest();
    for await (const page of table.rows(columns)) for (const line of page) written.add(line);
    const digest = written.end();
    if (written.rows !== rows || digest !== sha256) {
      throw new PreconditionFailedError(
        `${name}: ${written.rows} rows with digest ${digest} were written, and ${rows} with ${sha256} exported`,
      );
    }
    this.report(`${name}: ${rows} rows, digest ${sha256.slice(0, 12)} as exported`);
  }

  private async assertEmpty(tx: Transaction): Promise<void> {
    for (const { name } of exportedTables) {
      if (await new TableRepository(tx, name).isEmpty()) continue;
      throw new PreconditionFailedError(
        `the platform is not empty: ${name} has rows; import into a new one, before its first start`,
      );
    }
  }

  private async storeArtifact(folder: string, artifact: TransferredArtifact): Promise<void> {
    // An earlier attempt may have come this far.
    if ((await this.store.size(artifact.sha256)) === artifact.bytes) return;
    const file = artifactFile(folder, artifact.sha256);
    await this.store.put(artifact, createReadStream(file)).catch((error: unknown) => {
      if (!(error instanceof InvalidInputError)) throw error;
      throw new PreconditionFailedError(`${file} is damaged: ${error.message}`, { cause: error });
    });
  }
}

function assertArtifacts(
  referred: readonly { sha256: string; needed: boolean; version: string }[],
  artifacts: readonly TransferredArtifact[],
): void {
  const there = new Set(artifacts.map(({ sha256 }) => sha256));
  const missing = referred.find(({ sha256, needed }) => needed && !there.has(sha256));
  if (missing) {
    throw new PreconditionFailedError(
      `manifest.json: the artifact ${missing.sha256} of ${missing.version} is not among the artifacts`,
    );
  }
}

async function* batchesOf(lines: AsyncIterable<string>): AsyncGenerator<string[]> {
  let batch: string[] = [];
  let characters = 0;
  for await (const line of lines) {
    if (batch.length > 0 && (batch.length === BATCH.lines || characters + line.length > BATCH.characters)) {
      yield batch;
      [batch, characters] = [[], 0];
    }
    batch.push(line);
    characters += line.length;
  }
  if (batch.length > 0) yield batch;
}
