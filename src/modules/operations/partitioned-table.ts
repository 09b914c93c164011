import type { PartitionSpan } from "./partition-span.rules.js";

/** A table whose rows lie in partitions by time; one that fits nowhere lies in the default partition. */
export interface PartitionedTable {
  table: string;
  /** Of type `date` or `timestamptz`. */
  column: string;
  span: PartitionSpan;
  /** Partitions that are made before their time comes. */
  ahead: number;
  /** Partitions that ended this many days ago are dropped; absent: they are kept for ever. */
  keepDays?: number;
  /** Triggers refuse changes of its rows. */
  appendOnly?: boolean;
}
