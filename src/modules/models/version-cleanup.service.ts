import type { Database, Transaction } from "../../ports/database.js";
import { OUTBOX_CHANNEL } from "../operations/index.js";
import { rollbackTarget } from "./model-lifecycle.rules.js";
import { VersionCleanupRepository } from "./version-cleanup.repository.js";
import type { ExpiredVersion } from "./version-cleanup.repository.js";
import { ModelVersionRepository } from "./model-version.repository.js";

/** Versions, by id, that something outside the registry works with. */
export type VersionsInUse = (tx: Transaction) => Promise<ReadonlySet<string>>;

/**
 * Takes away the artifacts of versions that nobody can need any more. The versions themselves stay: history refers to
 * them. What serves, what a rollback would put back and what is protected is never touched.
 */
export class VersionCleanup {
  constructor(private readonly database: Database) {}

  /** Archived, rejected or never completed since before that time. */
  async expired(before: Date, inUse: VersionsInUse): Promise<ExpiredVersion[]> {
    const { manager } = this.database.dataSource;
    const found = await new VersionCleanupRepository(manager).expired(before);
    const kept = await this.spared(manager, found, inUse);
    return found.filter(({ id }) => !kept.has(id));
  }

  /**
   * Gives up a version's artifact; its bytes go next.
   * @returns false when it is needed again
   */
  async giveUp(id: string, before: Date, inUse: VersionsInUse): Promise<boolean> {
    return this.database.transaction(async (tx) => {
      const versions = new VersionCleanupRepository(tx);
      // As promotions and rollbacks do: whichever comes first, the other sees what it has done.
      await versions.lockModelOf(id);
      const found = await versions.expired(before, id);
      const kept = await this.spared(tx, found, inUse);
      if (found.length === 0 || kept.has(id)) return false;
      await versions.giveUp(found[0]!);
      await tx.query("SELECT pg_notify($1, 'promotion')", [OUTBOX_CHANNEL]);
      return true;
    });
  }

  /** Every object that versions have, but for these. */
  referenced(besides: ReadonlySet<string>): Promise<Set<string>> {
    return new VersionCleanupRepository(this.database.dataSource.manager).referenced(null, [...besides]);
  }

  /** No version begins to refer to an object until the transaction ends. @returns those that versions refer to */
  async lockReferences(tx: Transaction, digests: readonly string[]): Promise<Set<string>> {
    const versions = new VersionCleanupRepository(tx);
    await versions.lockTable();
    return versions.referenced(digests);
  }

  private async spared(
    tx: Transaction,
    found: readonly ExpiredVersion[],
    inUse: VersionsInUse,
  ): Promise<ReadonlySet<string>> {
    const spared = new Set(await inUse(tx));
    const versions = new ModelVersionRepository(tx);
    for (const modelId of new Set(found.map((version) => version.modelId))) {
      const gone = await versions.withoutArtifact(modelId);
      const target = rollbackTarget(await versions.history(modelId), gone);
      if (target !== undefined) spared.add(target);
    }
    return spared;
  }
}
