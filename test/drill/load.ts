import { fillPredictions } from "../support/fill-predictions.js";
import { promote, uploadVersion } from "../support/registry.js";
import type { GraphClient } from "../faults/graph-client.js";
import { toPlatform } from "../faults/to-platform.js";
import { Workload } from "../faults/workload.js";
import type { Writer } from "../faults/writer.js";
import { CurvesWriter } from "../faults/writers/curves.writer.js";
import { DocumentsWriter } from "../faults/writers/documents.writer.js";
import { PredictionsWriter } from "../faults/writers/predictions.writer.js";
import { PromotionsWriter } from "../faults/writers/promotions.writer.js";
import { TrainingsWriter } from "../faults/writers/trainings.writer.js";
import { UploadsWriter } from "../faults/writers/uploads.writer.js";
import { until } from "../support/until.js";
import { largeModel } from "./large-model.js";
import type { FirstSite } from "./sites.js";

const MEGABYTE = 1_000_000;
const LARGE_MODELS = 4;
const LARGE_BYTES = 12 * MEGABYTE;
/** Half of it is in the base backup, the other half in the log. */
const DATABASE_BYTES = 80 * MEGABYTE;

export const LARGE = "drill-large";

/** Models and rows enough to tell how fast they come back. @returns where the base backup ends in the log */
export async function fill(site: FirstSite, client: GraphClient): Promise<string> {
  const platform = toPlatform(client);
  const uploads = Promise.all(
    Array.from({ length: LARGE_MODELS }, (_, i) =>
      uploadVersion(platform, `${LARGE}-${i}`, largeModel(LARGE_BYTES, i + 1)),
    ),
  );
  await Promise.all([uploads, fillPredictions(site.place.dsn, DATABASE_BYTES / 2)]);
  await promote(platform, { model: `${LARGE}-0`, number: 1 });
  const backedUpTo = await site.archive.backUp();
  await fillPredictions(site.place.dsn, DATABASE_BYTES);
  return backedUpTo;
}

/** What a version that serves answers; the same after the recovery. */
export async function predicted(client: GraphClient): Promise<unknown> {
  const { predict } = await client.query<{ predict: unknown }>(
    `query Predict($input: PredictInput!) { predict(input: $input) { version { number } outputs { values } } }`,
    { input: { model: `${LARGE}-0`, inputs: [{ name: "x", values: [[0.5], [2], [40]] }] } },
  );
  return predict;
}

/** Clients that write until the loss, and know what was acknowledged. */
export async function startLoad({ place }: FirstSite, client: GraphClient): Promise<Workload> {
  const { name } = place;
  const promotions = new PromotionsWriter(name);
  const writers: Writer[] = [
    promotions,
    new CurvesWriter(name),
    new DocumentsWriter(name),
    new DocumentsWriter(name, { awaited: true }),
    new UploadsWriter(name, { ready: true }),
    new TrainingsWriter(name),
    new PredictionsWriter(promotions.model),
  ];
  const workload = new Workload(writers, () => [client]);
  await workload.prepare();
  workload.start();
  return workload;
}

/** Of each kind. */
const BEFORE = 1;
const UNFINISHED = 5;

/** Lets every kind of write be acknowledged, then some jobs pile up that nobody works on. */
export async function writeOn({ cluster }: FirstSite, workload: Workload): Promise<void> {
  await workload.until(BEFORE);
  cluster.workers.forEach((worker) => worker.pause());
  const taken = workload.count("documents");
  await until(() => workload.count("documents") >= taken + UNFINISHED, 30_000);
}
