import { isDeepStrictEqual } from "node:util";
import type { Cluster } from "../support/cluster.js";
import { bearer } from "../support/tokens.js";
import { until } from "../support/until.js";
import { upkeep } from "../support/upkeep.js";
import { GraphClient } from "../faults/graph-client.js";
import { toPlatform } from "../faults/to-platform.js";
import { judged } from "../faults/under-load.js";
import type { Workload } from "../faults/workload.js";
import { contentsOf, damagedIn, lackingOf, sumOf } from "./contents.js";
import type { Contents } from "./contents.js";
import { fill, predicted, startLoad, writeOn } from "./load.js";
import { closeFirstSite, lose, openFirstSite, openSecondSite } from "./sites.js";
import type { FirstSite, SecondSite } from "./sites.js";

/** What the loss of everything came to. */
export interface DrillOutcome {
  acknowledged: number;
  /** Age, at the loss, of the oldest acknowledged write that is gone; 0 when none is. */
  rpoSeconds: number;
  /** From the loss until a query was answered as before. */
  rtoSeconds: number;
  /** From the loss until every artifact was in two places again. */
  twiceSeconds: number;
  database: {
    bytes: number;
    rows: number;
    copiedBytes: number;
    copySeconds: number;
    logBytes: number;
    replaySeconds: number;
  };
  artifacts: { count: number; bytes: number; copySeconds: number };
  /** That nobody had finished at the loss; all of them have ended since. */
  unfinishedJobs: number;
  /** What is not as it was acknowledged, in words. */
  lost: string[];
}

const JOBS_END_WITHIN_MS = 120_000;

/** Loses a platform that is at work with all its servers, and recovers it on others. */
export async function drill(say: (step: string) => void): Promise<DrillOutcome> {
  say("starting servers and a platform");
  const first = await openFirstSite();
  let second: SecondSite | undefined;
  try {
    const loss = await loseAtWork(first, say);
    say("recovering");
    let after: Contents | undefined;
    second = await openSecondSite(first, async (server) => {
      after = await contentsOf(server, first.place.name);
    });
    const isSame = isDeepStrictEqual(await predicted(clientOf(second.cluster)), loss.answer);
    const rtoSeconds = secondsSince(loss.at);
    say("comparing");
    const lost = [...(isSame ? [] : ["a prediction differs"]), ...lackingOf(loss.before, after!)];
    return await compare(second, first.tier.s3.endpoint, { ...loss, after: after!, rtoSeconds, lost });
  } finally {
    await second?.cluster.remove();
    await closeFirstSite(first);
  }
}

interface Loss {
  /** By `performance.now`. */
  at: number;
  workload: Workload;
  before: Contents;
  answer: unknown;
  /** Written since the base backup. */
  logBytes: number;
}

async function loseAtWork(first: FirstSite, say: (step: string) => void): Promise<Loss> {
  const client = clientOf(first.cluster);
  say("filling it");
  const backedUpTo = await fill(first, client);
  const answer = await predicted(client);
  say("writing on");
  const workload = await startLoad(first, client);
  await writeOn(first, workload);
  const { postgres } = first.tier;
  const before = await contentsOf(postgres, first.place.name);
  const [log] = await postgres.query<{ bytes: string }>(
    "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), $1) AS bytes",
    [backedUpTo],
  );
  say("losing everything");
  const at = performance.now();
  await lose(first);
  await workload.stop();
  return { at, workload, before, answer, logBytes: Number(log!.bytes) };
}

interface Recovery extends Loss {
  after: Contents;
  rtoSeconds: number;
  lost: string[];
}

async function compare(second: SecondSite, endpoint: string, recovery: Recovery): Promise<DrillOutcome> {
  const { at, workload, after, rtoSeconds, logBytes } = recovery;
  const client = clientOf(second.cluster);
  const mirrored = await upkeep<{ copiedBytes: number; seconds: number }>(toPlatform(client), "startMirror");
  const twiceSeconds = secondsSince(at);
  const report = await workload.report(client);
  const { acknowledged, losses } = judged(report);
  const firstLost = await workload.firstLost(client, report);
  const places = [second.store, second.mirror];
  const damaged = await Promise.all(places.map((bucket) => damagedIn(endpoint, bucket, after.artifacts)));
  const { copiedBytes, copySeconds, replaySeconds } = second.restored;
  return {
    acknowledged,
    rpoSeconds: firstLost === undefined ? 0 : Math.max(0, (at - firstLost) / 1000),
    ...{ rtoSeconds, twiceSeconds },
    database: {
      ...{ bytes: after.bytes, rows: sumOf(after.rows) },
      ...{ copiedBytes, copySeconds, logBytes, replaySeconds },
    },
    artifacts: {
      count: after.artifacts.length,
      bytes: mirrored.copiedBytes,
      copySeconds: mirrored.seconds,
    },
    unfinishedJobs: after.unfinishedJobs,
    lost: [
      ...recovery.lost,
      ...losses,
      ...report.refusals,
      ...damaged.flat(),
      ...(await unfinished(second.cluster)),
    ],
  };
}

/** Jobs of before the loss that do not come to their end, in words. */
async function unfinished(cluster: Cluster): Promise<string[]> {
  const rows = () =>
    cluster.query<{ kind: string; state: string }>("SELECT kind, state FROM jobs WHERE finished_at IS NULL");
  await until(async () => (await rows()).length === 0, JOBS_END_WITHIN_MS).catch(() => undefined);
  return (await rows()).map(({ kind, state }) => `a job ${kind} is still ${state}`);
}

function clientOf({ gateways, token }: Cluster): GraphClient {
  return new GraphClient(gateways[0]!.url, bearer(token));
}

function secondsSince(moment: number): number {
  return (performance.now() - moment) / 1000;
}
