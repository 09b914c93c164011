import type { Database } from "../../ports/database.js";
import type { ObjectStore } from "../../ports/object-store.js";
import { NeededArtifactRepository } from "./needed-artifact.repository.js";
import type { NeededArtifact } from "./needed-artifact.repository.js";

/** Artifacts of READY versions that a mirror lacks. */
export interface MirrorGaps {
  count: number;
  /** Age of the version whose artifact has been lacking longest; 0 where none lacks. */
  oldestSeconds: number;
}

/** When more than these are unknown, listing the mirror is cheaper. */
const ASKED_ONE_BY_ONE = 50;

const LOOK_EVERY_MS = 10_000;

/** Knows what it has once seen in the mirror, and asks for the rest. */
export class MirrorWatch {
  private readonly seen = new Set<string>();
  private latest: Promise<MirrorGaps> | undefined;

  constructor(
    private readonly database: Database,
    private readonly mirror: ObjectStore,
  ) {}

  /** As they were some seconds ago at most. A mirror that does not answer lacks what has not been seen in it. */
  gaps(): Promise<MirrorGaps> {
    this.latest ??= this.find().finally(() => {
      setTimeout(() => (this.latest = undefined), LOOK_EVERY_MS).unref();
    });
    return this.latest;
  }

  /** These have just been put into the mirror. */
  saw(artifacts: readonly { sha256: string }[]): void {
    for (const { sha256 } of artifacts) this.seen.add(sha256);
  }

  private async find(): Promise<MirrorGaps> {
    const needed = await new NeededArtifactRepository(this.database.dataSource.manager).all();
    const unseen = needed.filter(({ sha256 }) => !this.seen.has(sha256));
    const found = new Set(await this.look(unseen).catch(() => []));
    const missing = unseen.filter(({ sha256 }) => !found.has(sha256));
    for (const sha256 of found) this.seen.add(sha256);
    this.forget(needed);
    const since = Math.min(...missing.map((artifact) => artifact.since.getTime()));
    return {
      count: missing.length,
      oldestSeconds: missing.length === 0 ? 0 : Math.max(0, (Date.now() - since) / 1000),
    };
  }

  private forget(needed: readonly NeededArtifact[]): void {
    if (this.seen.size <= 2 * needed.length) return;
    const digests = new Set(needed.map(({ sha256 }) => sha256));
    for (const sha256 of this.seen) if (!digests.has(sha256)) this.seen.delete(sha256);
  }

  /** @returns those of the artifacts that are in the mirror, whole */
  private async look(artifacts: readonly NeededArtifact[]): Promise<string[]> {
    if (artifacts.length > ASKED_ONE_BY_ONE) {
      const sizes = new Map<string, number>();
      for await (const { sha256, bytes } of this.mirror.list()) sizes.set(sha256, bytes);
      return artifacts.filter(({ sha256, bytes }) => sizes.get(sha256) === bytes).map(({ sha256 }) => sha256);
    }
    const there: string[] = [];
    for (const { sha256, bytes } of artifacts) {
      if ((await this.mirror.size(sha256)) === bytes) there.push(sha256);
    }
    return there;
  }
}
