import type { ClusterProcess } from "../support/cluster.js";
import type { FailpointName } from "../../src/shared/failpoint.js";
import { until } from "../support/until.js";

const REACHED_WITHIN_MS = 60_000;

/** Starts the process anew with a failpoint armed, and waits until it has killed itself there. */
export async function killAt(each: ClusterProcess, point: FailpointName): Promise<void> {
  await each.restart({ ML_FAILPOINTS: point }).catch((error: Error) => {
    // What waits for a worker lets it get there before it is ready.
    if (!error.message.includes("SIGKILL")) throw error;
  });
  await until(() => isGone(each.pid), REACHED_WITHIN_MS);
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}
