import type { FailpointName } from "../../../src/shared/failpoint.js";
import type { ClusterProcess } from "../../support/cluster.js";
import { eventually } from "../../support/platform.js";
import type { Fault } from "../fault.js";
import { killAt } from "../kill-at.js";
import { LEASE_MS } from "../site.js";
import { underLoad } from "../under-load.js";
import type { LoadOptions } from "../under-load.js";
import { CurvesWriter } from "../writers/curves.writer.js";
import { DocumentsWriter } from "../writers/documents.writer.js";
import { TrainingsWriter } from "../writers/trainings.writer.js";
import { UploadsWriter } from "../writers/uploads.writer.js";

function killed(
  name: string,
  points: readonly FailpointName[],
  { ci, ...options }: LoadOptions & { ci: boolean },
): Fault {
  return {
    ...{ name, engine: "worker", ci },
    run: (tier) =>
      underLoad(tier, options, async ({ cluster }) => {
        const worker = cluster.workers[0]!;
        for (const point of points) await killAt(worker, point);
        const at = performance.now();
        await worker.restart();
        return { at, note: `at ${points.join(", ")}` };
      }),
  };
}

const jobsOf = (run: string) => new DocumentsWriter(run, { awaited: true });

/** A worker that is stopped keeps a training; another takes it over, and the first wakes up in the middle. */
const stopped: Fault = {
  ...{ name: "worker stopped past its lease", engine: "worker", ci: false },
  run: (tier) =>
    underLoad(
      tier,
      {
        writers: (run) => [new CurvesWriter(run), new TrainingsWriter(run), jobsOf(run)],
        environment: { ML_LOCK_TIMEOUT_MS: String(LEASE_MS) },
      },
      async ({ cluster, workload }) => {
        const first = cluster.workers[0]!;
        const held = await pauseAmidTraining(first, () => cluster.gateways[0]!.query<Jobs>(ACTIVE));
        await cluster.addWorker();
        await eventually(
          () => cluster.gateways[0]!.query<JobOf>(JOB, { id: held.id }),
          ({ job }) => job.attempts > held.attempts,
          20 * LEASE_MS,
        );
        const at = performance.now();
        first.resume();
        await workload.recoveredFrom(at);
        return { at, note: `a ${held.kind} job changed hands` };
      },
    ),
};

const ACTIVE = `{ jobs(first: 5, state: ACTIVE, kind: "train-forecaster") { edges { node { id kind attempts } } } }`;
const JOB = `query Job($id: ID!) { job(id: $id) { id kind attempts } }`;

interface JobNode {
  id: string;
  kind: string;
  attempts: number;
}

interface JobOf {
  job: JobNode;
}

interface Jobs {
  jobs: { edges: { node: JobNode }[] };
}

/** Stops the worker while it is at a training: what is ACTIVE when it has stopped stays so. */
async function pauseAmidTraining(worker: ClusterProcess, active: () => Promise<Jobs>): Promise<JobNode> {
  const { jobs } = await eventually(
    async () => {
      worker.resume();
      await eventually(active, (answer) => answer.jobs.edges.length > 0);
      worker.pause();
      return active();
    },
    (answer) => answer.jobs.edges.length > 0,
  );
  return jobs.edges[0]!.node;
}

const trainingsGoOn = {
  ci: false,
  writers: (run: string) => [new TrainingsWriter(run), jobsOf(run)],
};

export const workerFaults: Fault[] = [
  killed("worker killed around a job", ["job.claimed", "job.handled", "job.completed"], {
    ci: true,
    writers: (run) => [new UploadsWriter(run), new DocumentsWriter(run), jobsOf(run)],
  }),
  killed("worker killed while embedding", ["embedding.written", "embedding.committed"], {
    ci: false,
    writers: (run) => [new DocumentsWriter(run, { embedded: true }), jobsOf(run)],
  }),
  // A job is given up when three workers have died of it: each of these kills one run twice at most.
  killed("worker killed between object and row", ["training.stored", "training.written"], trainingsGoOn),
  killed("worker killed after a training's commit", ["training.published"], trainingsGoOn),
  stopped,
];
