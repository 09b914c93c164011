import { homedir } from "node:os";
import { join } from "node:path";

/** What the command line takes from its environment; flags win over it. */
export interface CliEnvironment {
  /** ML_URL: where the platform answers. */
  url?: string;
  /** ML_TOKEN: who is calling. */
  token?: string;
  /** ML_HUB_URL: where models are downloaded from. */
  hubUrl?: string;
  /** HF_TOKEN: who may download private and gated ones. */
  hubToken?: string;
  /** ML_MLFLOW_TRACKING_URI: where models are moved from. */
  trackingUri?: string;
  /** MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD: who may read there. */
  tracking: { token?: string; username?: string; password?: string };
  /** XDG_CACHE_HOME, by default .cache in the user's home. */
  cacheHome: string;
  /** NO_COLOR (https://no-color.org): any non-empty value. */
  noColor: boolean;
}

export function readEnvironment(): CliEnvironment {
  const { ML_URL, ML_TOKEN, ML_HUB_URL, HF_TOKEN, XDG_CACHE_HOME, NO_COLOR } = process.env;
  const { ML_MLFLOW_TRACKING_URI, MLFLOW_TRACKING_TOKEN } = process.env;
  const { MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD } = process.env;
  return {
    url: ML_URL || undefined,
    token: ML_TOKEN || undefined,
    hubUrl: ML_HUB_URL || undefined,
    hubToken: HF_TOKEN || undefined,
    trackingUri: ML_MLFLOW_TRACKING_URI || undefined,
    tracking: {
      token: MLFLOW_TRACKING_TOKEN || undefined,
      username: MLFLOW_TRACKING_USERNAME || undefined,
      password: MLFLOW_TRACKING_PASSWORD || undefined,
    },
    cacheHome: XDG_CACHE_HOME || join(homedir(), ".cache"),
    noColor: Boolean(NO_COLOR),
  };
}

/** What tokens are made by: the platform's own settings, where they are at hand. */
export function readSigning(): { secret?: string; issuer: string; audience: string } {
  const { ML_JWT_SECRET_KEY, ML_JWT_ISSUER, ML_JWT_AUDIENCE } = process.env;
  return {
    secret: ML_JWT_SECRET_KEY || undefined,
    issuer: ML_JWT_ISSUER || "254carbon",
    audience: ML_JWT_AUDIENCE || "254carbon-ml",
  };
}

/** The environment for a platform of our own: ours without its ML_ settings, and with these instead. */
export function cleanEnvironment(settings: Record<string, string>): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("ML_"));
  return { ...Object.fromEntries(inherited), ...settings };
}
