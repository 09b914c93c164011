import { bearer } from "../support/tokens.js";
import { EventReader } from "./event-reader.js";
import type { FaultOutcome } from "./fault.js";
import { onSite } from "./site.js";
import type { Site, SiteOptions } from "./site.js";
import type { Tier } from "./tier.js";
import { Workload } from "./workload.js";
import type { WorkloadReport } from "./workload.js";
import type { Writer } from "./writer.js";
import { CurvesWriter } from "./writers/curves.writer.js";
import { DocumentsWriter } from "./writers/documents.writer.js";
import { PredictionsWriter } from "./writers/predictions.writer.js";
import { PromotionsWriter } from "./writers/promotions.writer.js";
import { UploadsWriter } from "./writers/uploads.writer.js";

export interface LoadOptions extends SiteOptions {
  /** Beside promotions, which are always there: the readers follow them. */
  writers?: (run: string) => Writer[];
}

export interface SiteUnderLoad extends Site {
  workload: Workload;
  promotions: PromotionsWriter;
}

/** What the fault's own code found. */
export interface FaultEnd {
  /** When it was over, by `performance.now`. */
  at: number;
  violations?: string[];
  note?: string;
}

/** Operations of each kind before the fault. */
const BEFORE = 2;

/** Two subscribers that must have every promotion. */
const READERS = [0, 1];

const EVENTS_WITHIN_MS = 30_000;

const usualWriters = (run: string): Writer[] => [
  new CurvesWriter(run),
  new DocumentsWriter(run),
  new DocumentsWriter(run, { awaited: true }),
  new UploadsWriter(run),
  new PredictionsWriter(`faults-${run}`),
];

/**
 * Keeps writers and subscribers going through a fault and judges what is left once it is over: all that was
 * acknowledged is there, once and as it was sent, and every subscriber got every event once and in order.
 */
export function underLoad(
  tier: Tier,
  options: LoadOptions,
  inject: (site: SiteUnderLoad) => Promise<FaultEnd>,
): Promise<FaultOutcome> {
  return onSite(tier, options, async (site) => {
    const { name } = site.place;
    const promotions = new PromotionsWriter(name);
    const writers = [promotions, ...(options.writers ?? usualWriters)(name)];
    const workload = new Workload(writers, site.gateways);
    await workload.prepare();
    const readers = READERS.map((turn) => readerOf(site, promotions, turn));
    workload.start();
    await workload.until(BEFORE);
    const end = await inject({ ...site, workload, promotions });
    const recoveryMs = await workload.recoveredFrom(end.at);
    await workload.stop();
    const report = await workload.report(site.gateways()[0]!);
    const history = await promotions.history(site.gateways()[0]!);
    const expected = history.map(({ id }) => id).reverse();
    const misread = await Promise.all(readers.map((reader) => misreadBy(reader, expected)));
    return {
      ...judged(report),
      recoveryMs,
      violations: [...report.refusals, ...misread.flat(), ...(end.violations ?? [])],
      note: [end.note, failuresOf(report)].filter(Boolean).join("; "),
    };
  });
}

function readerOf({ gateways, cluster }: Site, { model }: PromotionsWriter, turn: number): EventReader {
  return new EventReader(gateways, model, turn, bearer(cluster.token));
}

/** What a subscriber that should have these events by now has wrong. */
export async function misreadBy(reader: EventReader, expected: readonly string[]): Promise<string[]> {
  await reader.until(expected.length, EVENTS_WITHIN_MS);
  await reader.stop();
  const { seen } = reader;
  const missing = expected.filter((id) => !seen.includes(id)).length;
  const twice = seen.length - new Set(seen).size;
  if (missing > 0) return [`a subscriber misses ${missing} of ${expected.length} events`];
  if (twice > 0) return [`a subscriber got ${twice} events twice`];
  if (seen.some((id, i) => id !== expected[i])) return ["a subscriber got events out of order"];
  return [];
}

/** What the writers found, in words. */
export function judged({
  acknowledged,
  verdicts,
}: WorkloadReport): Pick<FaultOutcome, "acknowledged" | "losses"> {
  const losses = Object.values(verdicts).flatMap(({ lost, repeated, wrong }) => [
    ...lost.map((what) => `lost: ${what}`),
    ...repeated.map((what) => `twice: ${what}`),
    ...wrong.map((what) => `wrong: ${what}`),
  ]);
  return { acknowledged, losses };
}

function failuresOf({ failures }: WorkloadReport): string {
  const counts = Object.entries(failures).map(([reason, count]) => `${reason} ${count}`);
  return counts.length === 0 ? "no request failed" : `asked again after ${counts.join(", ")}`;
}
