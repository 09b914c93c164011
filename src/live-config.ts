import { ConfigurationError, loadConfig } from "./config/config.js";
import type { Config, ConfigOptions } from "./config/config.js";
import { hasSecretFiles, readSecretFiles, SECRET_VARIABLES } from "./config/secret-files.js";
import type { Logger } from "./telemetry/logger.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** What is configured now, which may be more recent than what the process started with: secrets alone differ. */
export type LatestConfig = () => Config;

/** Kubernetes swaps a link to a folder, of which watching the file tells nothing. */
const LOOK_EVERY_MS = 1_000;

/** The configuration with its secrets as they are now: those that are in files may change while the process runs. */
export class LiveConfig {
  private current: Config;
  private seen: Environment;
  private refused?: string;

  /** @throws {ConfigurationError} */
  constructor(
    private readonly environment: Environment,
    private readonly options: ConfigOptions = {},
  ) {
    this.seen = readSecretFiles(environment).environment;
    this.current = loadConfig(environment, options);
  }

  /** What makes a connection or checks a signature asks for this each time. */
  readonly latest: LatestConfig = () => this.current;

  /** Looks for changes from now on. Secrets that make no valid configuration are reported, and the old ones kept. */
  follow(logger: Logger): void {
    if (!hasSecretFiles(this.environment)) return;
    setInterval(() => this.look(logger), LOOK_EVERY_MS).unref();
  }

  private look(logger: Logger): void {
    const { environment: read } = readSecretFiles(this.environment);
    const changed = SECRET_VARIABLES.filter((name) => read[name] !== this.seen[name]);
    if (changed.length === 0) return;
    try {
      this.current = loadConfig(this.environment, this.options);
      this.seen = read;
      this.refused = undefined;
      logger.info({ event: "secrets.reread", variables: changed }, "secrets have changed");
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      if (this.refused === error.message) return;
      this.refused = error.message;
      logger.error(
        { event: "secrets.refused", variables: changed, complaints: error.complaints },
        "secrets have changed and are not valid: the ones of before are kept",
      );
    }
  }
}
