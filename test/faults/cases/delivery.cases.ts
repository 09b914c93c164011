import { createBullmqJobQueue } from "../../../src/adapters/bullmq/bullmq-job-queue.js";
import { eventually } from "../../support/platform.js";
import { curveWithHistory, datesOf, snapshotsOf, startTraining } from "../../support/market-curves.js";
import type { Fault, FaultOutcome } from "../fault.js";
import { onSite } from "../site.js";
import type { Site } from "../site.js";
import { toPlatform } from "../to-platform.js";

const TIMES = 5;
const MODEL = "duplicated";

interface JobNode {
  id: string;
  kind: string;
  state: string;
  attempts: number;
}

/** The transport hands one job out again and again: before, while and after it is done. */
const duplicated: Fault = {
  ...{ name: "one job delivered five times", engine: "queue", ci: false },
  run: (tier) => onSite(tier, { gateways: 1, workers: 2 }, deliverAgainAndAgain),
};

async function deliverAgainAndAgain(site: Site): Promise<FaultOutcome> {
  const platform = toPlatform(site.gateways()[0]!);
  const violations: string[] = [];
  await curveWithHistory(platform, MODEL, snapshotsOf(datesOf(1_500)));
  const queue = await createBullmqJobQueue({
    transport: { kind: "redis", url: site.place.redisUrl, prefix: "254c", startTimeoutMs: 10_000 },
    onError: (error) => violations.push(`the queue reported: ${error.message}`),
  });
  const jobs = async () => {
    const { jobs: page } = await platform.query<{ jobs: { edges: { node: JobNode }[] } }>(
      `{ jobs(first: 10, kind: "train-forecaster") { edges { node { id kind state attempts } } } }`,
    );
    return page.edges.map(({ node }) => node);
  };
  const enqueue = ({ id, kind }: JobNode) =>
    queue.enqueue([{ id, name: kind, queue: "training", attempts: TIMES }]);
  try {
    const { errors } = await startTraining(platform, {
      ...{ model: MODEL, curve: MODEL, type: "GRADIENT_BOOSTING", horizons: [1, 5], refitEvery: 4 },
    });
    if (errors) throw new Error(JSON.stringify(errors));
    const [waiting] = await jobs();
    await Promise.all(Array.from({ length: TIMES }, () => enqueue(waiting!)));
    await eventually(jobs, ([job]) => job!.state === "ACTIVE");
    // Forgotten by its engine and handed in again, it is delivered to the other worker while the first is at it.
    await site.tier.queue.ask("FLUSHALL");
    await enqueue(waiting!);
    const [done] = await eventually(jobs, ([job]) => job!.state === "COMPLETED", 120_000);
    for (let i = 0; i < TIMES; i++) await enqueue(done!);
    await eventually(
      () => queue.depths(),
      (depths) => depths.every(({ waiting: left, active }) => left + active === 0),
    );
    const [after, ...others] = await jobs();
    if (others.length > 0) violations.push(`${others.length} further jobs`);
    if (JSON.stringify(after) !== JSON.stringify(done))
      violations.push("a job that had ended was done again");
    const { model } = await platform.query<{ model: { versions: { totalCount: number } } }>(
      `{ model(name: "${MODEL}") { versions { totalCount } } }`,
    );
    const count = model.versions.totalCount;
    return {
      acknowledged: 1,
      losses: count === 1 ? [] : [`one training made ${count} versions`],
      violations,
      note: `claimed ${done!.attempts} times`,
    };
  } finally {
    await queue.close();
  }
}

export const deliveryFaults: Fault[] = [duplicated];
