import { readFileSync } from "node:fs";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { S3Client } from "@aws-sdk/client-s3";
import type { S3ServiceException } from "@aws-sdk/client-s3";
import type { S3Config } from "../../config/s3-config.js";
import { PreconditionFailedError, UnavailableError } from "../../shared/errors.js";

/** Tries of one request; the client waits longer before each. */
const ATTEMPTS = 4;
const SOCKETS = 64;

export interface S3Patience {
  /** Until a connection stands, in milliseconds. */
  connectMs: number;
  /** Silence on a connection, in the middle of a body too. */
  silenceMs: number;
  /** Until the answer begins, the sending of a part included. */
  answerMs: number;
}

const PATIENCE: S3Patience = { connectMs: 3_000, silenceMs: 10_000, answerMs: 60_000 };

export function createS3Client(config: S3Config, endpoint: string, patience = PATIENCE): S3Client {
  const agent = { keepAlive: true, maxSockets: SOCKETS };
  return new S3Client({
    endpoint,
    region: config.region,
    credentials: credentialsOf(config),
    forcePathStyle: config.pathStyle,
    maxAttempts: ATTEMPTS,
    // Digests are ours to send: the checksums that the client adds by itself (CRC32 in a trailer behind a chunked
    // body) are stored as content by some stores that speak this protocol.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: {
      connectionTimeout: patience.connectMs,
      socketTimeout: patience.silenceMs,
      requestTimeout: patience.answerMs,
      throwOnRequestTimeout: true,
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent({
        ...agent,
        ca: read("ML_S3_CA", config.tls?.ca),
        cert: read("ML_S3_CERT", config.tls?.cert),
        key: read("ML_S3_KEY", config.tls?.key),
      }),
    },
  });
}

/** @throws {PreconditionFailedError} for a file that cannot be read */
function read(variable: string, file: string | undefined): Buffer | undefined {
  try {
    return file === undefined ? undefined : readFileSync(file);
  } catch (cause) {
    const { message } = cause as Error;
    throw new PreconditionFailedError(`${variable}: the file cannot be read: ${message}`, { cause });
  }
}

/** Credentials that end are asked for again by the client: these could, at any time. */
function credentialsOf({ credentials }: S3Config) {
  if (typeof credentials !== "function") return credentials;
  return () => Promise.resolve({ ...credentials(), expiration: new Date() });
}

/** The HTTP status of the store's answer; undefined when there was none. */
export function statusOf(error: unknown): number | undefined {
  return (error as Partial<S3ServiceException>).$metadata?.httpStatusCode;
}

/** For what has been tried again in vain. */
export function unavailable(error: unknown): UnavailableError {
  const status = statusOf(error);
  const { name, message } = error as Error;
  const reason = status === undefined ? message : `it answered ${status} ${name}`;
  return new UnavailableError(`the object store does not do its work: ${reason}`, { cause: error });
}
