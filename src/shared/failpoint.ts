/**
 * Named places in the code where a test may end the process, as a power cut would, to see what is left behind. Nothing
 * is armed unless the configuration of a test says so; elsewhere a failpoint costs a look into an empty map.
 */
export type FailpointName =
  | "job.claimed"
  | "job.handled"
  | "job.completed"
  | "embedding.written"
  | "embedding.committed"
  | "segment.written"
  | "segment.committed"
  | "training.stored"
  | "training.written"
  | "training.published"
  | "artifact.stored"
  | "ingest.written"
  | "ingest.committed"
  | "promotion.written"
  | "promotion.committed"
  | "cleanup.rows";

const armed = new Map<string, number>();

/** @param points `name` for the first time that it is reached, `name:3` for the third */
export function armFailpoints(points: readonly string[]): void {
  for (const point of points) {
    const [name, times = "1"] = point.split(":");
    armed.set(name!, Number(times));
  }
}

export function failpoint(name: FailpointName): void {
  const left = armed.get(name);
  if (left === undefined) return;
  armed.set(name, left - 1);
  if (left === 1) process.kill(process.pid, "SIGKILL");
}
