import { setTimeout as delay } from "node:timers/promises";
import type { Database } from "../../ports/database.js";
import type { Logger } from "../../telemetry/logger.js";
import { ModelVersionRepository } from "./model-version.repository.js";
import type { ServedVersions } from "./served-versions.js";

export interface WarmupLimits {
  /** Of all files of what is loaded. */
  bytes: number;
  ms: number;
}

export interface WarmupState {
  phase: "waiting" | "warming" | "done";
  warm: number;
  /** Did not load; they answer with the reason when they are asked. */
  failed: number;
  /** Beyond the limits: loaded when they are asked first. */
  left: number;
}

const MOST_MODELS = 100;

/** Loads what is in production before the first request, what got there last first. */
export class ProductionWarmup {
  readonly state: WarmupState = { phase: "waiting", warm: 0, failed: 0, left: 0 };

  constructor(
    private readonly database: Database,
    private readonly served: ServedVersions,
    private readonly logger: Logger,
  ) {}

  /** Resolves when all are warm or the limits are reached; one that does not load keeps nobody waiting. */
  async run({ bytes, ms }: WarmupLimits): Promise<void> {
    const { state } = this;
    state.phase = "warming";
    const ended = new AbortController();
    const deadline = delay(ms, "late" as const, { signal: ended.signal }).catch(() => "late" as const);
    let room = bytes;
    let late = false;
    const { manager } = this.database.dataSource;
    for (const version of await new ModelVersionRepository(manager).newestInProduction(MOST_MODELS)) {
      if (late || version.bytes > room) {
        state.left++;
        continue;
      }
      room -= version.bytes;
      const outcome = await Promise.race([this.warm(version.model), deadline]);
      late = outcome === "late";
      state[late ? "left" : outcome === true ? "warm" : "failed"]++;
    }
    ended.abort();
    state.phase = "done";
    this.logger.info({ event: "models.warm", ...state }, "models in production are warm");
  }

  private async warm(model: string): Promise<boolean> {
    try {
      const { version } = await this.served.resolve(model, { stage: "PRODUCTION" });
      await this.served.warm(version);
      return true;
    } catch (err) {
      this.logger.warn({ event: "model.not_warm", model, err }, "a model in production does not load");
      return false;
    }
  }
}
