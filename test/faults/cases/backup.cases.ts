import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { eventually } from "../../support/platform.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import type { Fault } from "../fault.js";
import { s3Client } from "../place.js";
import { underLoad } from "../under-load.js";
import type { SiteUnderLoad } from "../under-load.js";

const OFFLINE = join(import.meta.dirname, "../../../bundle/offline.js");
const BACKED_UP_WITHIN_MS = 120_000;

/** Someone has flipped one bit of a backup; it is noticed before anything is restored from it. */
const corrupt: Fault = {
  ...{ name: "backup with a flipped bit", engine: "database", ci: false },
  run: (tier) =>
    underLoad(tier, { environment: { ML_POSTGRES_BIN: tier.postgres.bin } }, async (site) => {
      await backUp(site);
      const dump = await dumpOf(site);
      const flipped = dump.bytes.slice();
      flipped[flipped.length >> 1]! ^= 1;
      const violations: string[] = [];
      const target = `${site.place.name}-restored`;
      const dsn = await tier.postgres.createDatabase(target);
      try {
        await dump.put(flipped);
        const refused = await restore(site, dsn);
        if (refused.error?.code !== "PRECONDITION_FAILED") {
          violations.push(`a flipped dump came to ${JSON.stringify(refused).slice(0, 200)}`);
        }
        const tables = "SELECT 1 FROM pg_tables WHERE schemaname = 'public'";
        const left = (await tier.postgres.query(tables, [], target)).length;
        if (left > 0) violations.push(`${left} tables of a refused dump`);
        await dump.put(dump.bytes);
        const restored = await restore(site, dsn);
        if (restored.error) violations.push(`a whole dump was refused: ${restored.error.message}`);
        return { at: performance.now(), violations, note: refused.error?.message };
      } finally {
        await tier.postgres.dropDatabase(target);
      }
    }),
};

async function backUp({ cluster }: SiteUnderLoad): Promise<void> {
  const gateway = cluster.gateways[0]!;
  const { startBackup } = await gateway.query<{ startBackup: { job: { id: string } } }>(
    `mutation { startBackup(input: {}) { job { id } } }`,
  );
  const { job } = await eventually(
    () =>
      gateway.query<{ job: { state: string; error: string | null } }>(
        `query Job($id: ID!) { job(id: $id) { state error } }`,
        { id: startBackup.job.id },
      ),
    ({ job: { state } }) => ["COMPLETED", "FAILED"].includes(state),
    BACKED_UP_WITHIN_MS,
  );
  if (job.state !== "COMPLETED") throw new Error(`no backup: ${job.error}`);
}

/** The only dump in the site's bucket. */
async function dumpOf({ place, tier }: SiteUnderLoad) {
  const client = s3Client(tier.s3.endpoint);
  const Bucket = place.name;
  const { Contents = [] } = await client.send(
    new ListObjectsV2Command({ Bucket, Prefix: "archive/backups/" }),
  );
  const Key = Contents.map((object) => object.Key!).find((key) => key.endsWith(".dump"));
  if (Key === undefined) throw new Error(`no dump among ${Contents.length} objects`);
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
  const bytes = await Body!.transformToByteArray();
  return {
    bytes,
    put: (content: Uint8Array) => client.send(new PutObjectCommand({ Bucket, Key, Body: content })),
  };
}

interface Restored {
  error?: { code: string; message: string };
}

/** As the command line's `restore` does it, into another database. */
async function restore({ place, tier }: SiteUnderLoad, dsn: string): Promise<Restored> {
  const folder = await temporaryFolder();
  const child = spawn(process.execPath, [OFFLINE, "restore"], {
    env: {
      ...{ PATH: process.env.PATH, ML_ENV: "development", ML_DATA_DIR: folder.path },
      ...{ ML_VECTOR_DB_DSN: dsn, ML_REDIS_URL: place.redisUrl, ML_POSTGRES_BIN: tier.postgres.bin },
      ...{ ML_S3_ENDPOINT: place.s3.endpoint, ML_S3_BUCKET: place.s3.bucket },
      ...{ ML_S3_ACCESS_KEY_ID: "tester", ML_S3_SECRET_ACCESS_KEY: "not a secret" },
    },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const exited = once(child, "exit");
  const output = await text(child.stdout);
  await exited;
  await folder.remove();
  return JSON.parse(output) as Restored;
}

export const backupFaults: Fault[] = [corrupt];
