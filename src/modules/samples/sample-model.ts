import { setTimeout as delay } from "node:timers/promises";
import type { Caller } from "../identity/index.js";
import type { ModelLifecycleService, ModelRegistryService } from "../models/index.js";
import type { StartedRun, TrainingRuns } from "../training/index.js";

export const SAMPLES: Caller = { subject: "samples", roles: ["ADMIN"] };
export const POLL_MS = 250;

/** Brings a model to its first version in production. */
export class SampleModel {
  constructor(
    private readonly runs: TrainingRuns,
    private readonly registry: ModelRegistryService,
    private readonly lifecycle: ModelLifecycleService,
  ) {}

  /** @param train the same run each time it is called */
  async serve(name: string, train: () => Promise<StartedRun>, signal: AbortSignal): Promise<void> {
    if (!(await this.hasVersion(name))) await this.untilTrained((await train()).run.id, signal);
    const model = await this.registry.findModel(name);
    // Only a model that never had a stage: afterwards it is its owners' to decide.
    if (!model || model.lastTransition > 0) return;
    await this.lifecycle.promote(
      { model: name, number: 1, stage: "PRODUCTION", reason: "first start" },
      SAMPLES,
    );
  }

  private async hasVersion(name: string): Promise<boolean> {
    const model = await this.registry.findModel(name);
    if (!model) return false;
    return (await this.registry.listVersions(model, undefined, { limit: 1 })).items.length > 0;
  }

  private async untilTrained(run: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      const now = await this.runs.find(run);
      if (now?.status === "SUCCEEDED") return;
      if (now?.finishedAt) throw new Error(`the first training ended ${now.status}: ${now.error ?? ""}`);
      await delay(POLL_MS, undefined, { signal });
    }
  }
}
