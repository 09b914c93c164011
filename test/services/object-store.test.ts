import { S3Archive } from "../../src/adapters/service/s3-archive.js";
import { describeArchive } from "../contract/archive-contract.js";
import { describeObjectStore } from "../contract/object-store-contract.js";
import { startS3 } from "../support/s3-server.js";
import type { S3Server } from "../support/s3-server.js";
import { openS3Store } from "../support/s3-store.js";

let server: S3Server;
beforeAll(async () => {
  server = await startS3();
});
afterAll(() => server.stop());

describeObjectStore("S3 object store", () => openS3Store(server.endpoint));

describeArchive("S3 archive", async () => {
  const { bucket, drop } = await openS3Store(server.endpoint);
  return { archive: new S3Archive(bucket), drop };
});
