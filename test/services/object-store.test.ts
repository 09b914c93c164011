import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { openS3Bucket } from "../../src/adapters/service/open-s3-bucket.js";
import { S3Archive } from "../../src/adapters/service/s3-archive.js";
import { createS3Client } from "../../src/adapters/service/s3-client.js";
import { S3ObjectStore } from "../../src/adapters/service/s3-object-store.js";
import type { S3Config } from "../../src/config/config.js";
import { describeArchive } from "../contract/archive-contract.js";
import { describeObjectStore } from "../contract/object-store-contract.js";
import { startS3 } from "../support/s3-server.js";
import type { S3Server } from "../support/s3-server.js";
import { temporaryFolder } from "../support/temporary-folder.js";

let server: S3Server;
let config: S3Config;

beforeAll(async () => {
  server = await startS3();
  config = {
    endpoint: server.endpoint,
    publicEndpoint: server.endpoint,
    region: "us-east-1",
    bucket: "artifacts",
    credentials: { accessKeyId: "test", secretAccessKey: "test-secret" },
    pathStyle: true,
    localBytes: 100_000_000,
  };
});
afterAll(() => server.stop());

let buckets = 0;

async function freshBucket(): Promise<string> {
  const client = createS3Client(config, config.endpoint);
  const Bucket = `artifacts-${++buckets}`;
  await client.send(new CreateBucketCommand({ Bucket }));
  client.destroy();
  return Bucket;
}

async function open() {
  const folder = await temporaryFolder();
  const bucket = await openS3Bucket({
    config,
    bucket: await freshBucket(),
    variable: "ML_S3_BUCKET",
    timeoutMs: 1_000,
  });
  const store = await S3ObjectStore.open({ bucket, folder: folder.path, localBytes: config.localBytes });
  return {
    store,
    bucket,
    folder,
    leftovers: async () => [
      ...(await readdir(join(folder.path, "drafts", String(process.pid)))),
      ...(await bucket.unfinished("")).map(({ key }) => key),
    ],
    drop: async () => {
      await store.close();
      await folder.remove();
    },
  };
}

describeObjectStore("S3 object store", open);

describeArchive("S3 archive", async () => {
  const { bucket, drop } = await open();
  return { archive: new S3Archive(bucket), drop };
});
