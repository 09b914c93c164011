import { GetBucketVersioningCommand, HeadBucketCommand } from "@aws-sdk/client-s3";
import type { S3Client } from "@aws-sdk/client-s3";
import type { S3Config } from "../../config/s3-config.js";
import { PreconditionFailedError } from "../../shared/errors.js";
import type { AdapterLog } from "../adapter-log.js";
import { awaitServer } from "../await-server.js";
import { S3Bucket } from "./s3-bucket.js";
import { createS3Client, statusOf } from "./s3-client.js";
import type { S3Patience } from "./s3-client.js";

export interface OpenS3BucketOptions {
  config: S3Config;
  bucket: string;
  /** The variable that names the bucket. */
  variable: "ML_S3_BUCKET" | "ML_MIRROR_BUCKET";
  timeoutMs: number;
  patience?: S3Patience;
  log?: AdapterLog;
}

const ATTEMPT_MS = 5_000;

/**
 * Waits until the store answers and makes sure of the bucket.
 * @throws {UnavailableError} naming ML_S3_ENDPOINT when it does not answer in time
 * @throws {PreconditionFailedError} naming the variable that is wrong: no such bucket, refused credentials
 */
export async function openS3Bucket(options: OpenS3BucketOptions): Promise<S3Bucket> {
  const { config, bucket, timeoutMs, log } = options;
  const client = createS3Client(config, config.endpoint, options.patience);
  try {
    await awaitServer("ML_S3_ENDPOINT", () => probe(client, options), { timeoutMs, log });
    await warnUnlessVersioned(client, options);
  } catch (error) {
    client.destroy();
    throw error;
  }
  return new S3Bucket(client, bucket);
}

async function probe(client: S3Client, { bucket, variable, config }: OpenS3BucketOptions): Promise<void> {
  try {
    await client.send(new HeadBucketCommand({ Bucket: bucket }), {
      abortSignal: AbortSignal.timeout(ATTEMPT_MS),
    });
  } catch (error) {
    const refusal = refusals(bucket, variable, config.region)[statusOf(error) ?? 0];
    if (refusal !== undefined) throw new PreconditionFailedError(refusal, { cause: error });
    throw error;
  }
}

function refusals(bucket: string, variable: string, region: string): Record<number, string> {
  return {
    301: `ML_S3_REGION: bucket "${bucket}" is not in region "${region}"`,
    400: `ML_S3_ENDPOINT: the store does not understand a question for bucket "${bucket}" (400); check ML_S3_REGION and ML_S3_PATH_STYLE`,
    401: "ML_S3_ACCESS_KEY_ID: the store refuses the credentials (401)",
    403: `ML_S3_ACCESS_KEY_ID: the store refuses the credentials, or bucket "${bucket}" to them (403)`,
    404: `${variable}: there is no bucket "${bucket}"; create it first, with versioning on`,
  };
}

async function warnUnlessVersioned(client: S3Client, { bucket, log }: OpenS3BucketOptions): Promise<void> {
  const status = await client.send(new GetBucketVersioningCommand({ Bucket: bucket })).then(
    ({ Status }) => Status ?? "off",
    () => "unknown",
  );
  if (status === "Enabled") return;
  log?.warn(
    { event: "objects.unversioned", bucket, versioning: status },
    `versioning of bucket ${bucket} is ${status}: what is removed by mistake cannot be brought back`,
  );
}
