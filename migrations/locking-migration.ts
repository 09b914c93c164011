import type { MigrationInterface } from "typeorm";

/**
 * A migration that keeps others from reading or writing tables that were there before it: "Locks" in its name and
 * this declaration say so, and it sets `lock_timeout`, so that it gives up and comes again rather than making
 * everybody queue behind it.
 */
export interface LockingMigration extends MigrationInterface {
  readonly locks: {
    /** All that it locks more strongly than a reader or a writer of rows does. */
    tables: readonly string[];
    /** Why it cannot do without, and for how long. */
    reason: string;
  };
}
