import type { Settings } from "./settings.js";

export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
}

export interface S3Config {
  endpoint: string;
  /** Where clients reach the store; absent: they do not, and all bytes pass through the gateway. */
  publicEndpoint?: string;
  region: string;
  bucket: string;
  /** Absent: the environment's own credentials, e.g. of the node's role. A function is asked at each request. */
  credentials?: S3Credentials | (() => S3Credentials);
  /** Files of a TLS client; without the authority of the store's certificate the known ones count. */
  tls?: { ca?: string; cert?: string; key?: string };
  pathStyle: boolean;
  /** Of model files kept on local disk. */
  localBytes: number;
}

/** Undefined where files are kept in a folder. */
export function s3Config(settings: Settings): S3Config | undefined {
  const { ML_S3_ENDPOINT: endpoint, ML_S3_BUCKET: bucket } = settings;
  if (endpoint === undefined || bucket === undefined) return undefined;
  const { ML_S3_ACCESS_KEY_ID: accessKeyId, ML_S3_SECRET_ACCESS_KEY: secretAccessKey } = settings;
  return {
    endpoint,
    publicEndpoint: settings.ML_S3_PUBLIC_ENDPOINT,
    region: settings.ML_S3_REGION,
    bucket,
    ...(accessKeyId !== undefined && secretAccessKey !== undefined
      ? { credentials: { accessKeyId, secretAccessKey } }
      : {}),
    tls: { ca: settings.ML_S3_CA, cert: settings.ML_S3_CERT, key: settings.ML_S3_KEY },
    pathStyle: settings.ML_S3_PATH_STYLE ?? true,
    localBytes: settings.ML_S3_LOCAL_BYTES,
  };
}
