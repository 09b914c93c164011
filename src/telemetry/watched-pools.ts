/** What `pg` tells of a pool. */
export interface PoolCounts {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
}

/** Pools whose connections are measured, by the server that they lead to. */
export const watchedPools = new Map<string, PoolCounts>();
