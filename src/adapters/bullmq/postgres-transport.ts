import { createPostgresBackend, runMigrations, withBackend } from "bullmq";
import pg from "pg";
import type { JobPayload, JobTransport } from "./job-transport.js";

const { FlowProducer, Queue, Worker } = withBackend(createPostgresBackend);

/** The only schema in which BullMQ looks when it is given a pool. */
const SCHEMA = "bullmq";

/** Idle workers hold a connection each, to listen. */
const POOL_SIZE = 50;

/** Queues as tables of the schema `bullmq`, created when missing; all share one pool. */
export async function openPostgresTransport(
  connection: pg.PoolConfig,
  onError: (error: Error) => void,
): Promise<JobTransport> {
  const options = [connection.options, `-c search_path=${SCHEMA}`].filter(Boolean).join(" ");
  const pool = new pg.Pool({ max: POOL_SIZE, ...connection, options });
  pool.on("error", onError);
  // Each queue and worker listens for errors of the pool, and never stops.
  pool.setMaxListeners(0);
  const client = await pool.connect();
  try {
    await runMigrations(client, SCHEMA);
  } finally {
    client.release();
  }
  return {
    openQueue: (name) => new Queue<JobPayload, void>(name, { connection: pool }),
    openFlows: () => new FlowProducer({ connection: pool }),
    openWorker: (name, process, workerOptions) =>
      new Worker<JobPayload, void>(name, process, { ...workerOptions, connection: pool }),
    ping: () => pool.query("SELECT 1"),
    // It keeps jobs as safe as it keeps their rows.
    onRecovered: () => undefined,
    close: () => pool.end(),
  };
}
