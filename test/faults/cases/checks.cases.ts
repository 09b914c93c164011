import { PutObjectCommand } from "@aws-sdk/client-s3";
import { digestOf } from "../../support/registry.js";
import { bearer } from "../../support/tokens.js";
import { EventReader } from "../event-reader.js";
import type { Fault, FaultOutcome } from "../fault.js";
import { s3Client } from "../place.js";
import { onSite } from "../site.js";
import type { Site } from "../site.js";
import { judged, misreadBy } from "../under-load.js";
import { Workload } from "../workload.js";
import { CurvesWriter } from "../writers/curves.writer.js";
import { DocumentsWriter } from "../writers/documents.writer.js";
import { PromotionsWriter } from "../writers/promotions.writer.js";
import { UploadsWriter, bytesOf } from "../writers/uploads.writer.js";

/** What is taken away behind the platform's back, and what must be reported of it. */
const SEEDED = [
  { statement: "DELETE FROM curve_snapshots WHERE date = '2000-01-02'", report: "lost: curve of 2000-01-02" },
  {
    statement: "UPDATE curve_snapshots SET values = '{1,1}' WHERE date = '2000-01-03'",
    report: "wrong: curve of 2000-01-03",
  },
  { statement: "UPDATE documents SET key = 'another' WHERE key = '0-1'", report: "lost: document 0-1" },
  { statement: "DELETE FROM stage_transitions WHERE reason = 'turn 1'", report: "lost: promotion 1" },
];

/** The checks themselves: what is lost must be seen. */
const seeded: Fault = {
  ...{ name: "losses that were seeded", engine: "checks", ci: true },
  run: (tier) => onSite(tier, {}, seedLosses),
};

async function seedLosses(site: Site): Promise<FaultOutcome> {
  const { name } = site.place;
  const promotions = new PromotionsWriter(name);
  const writers = [promotions, new CurvesWriter(name), new DocumentsWriter(name), new UploadsWriter(name)];
  const workload = new Workload(writers, site.gateways);
  await workload.prepare();
  const reader = new EventReader(site.gateways, promotions.model, 0, bearer(site.cluster.token));
  workload.start();
  await workload.until(3);
  await workload.stop();
  const client = site.gateways()[0]!;
  const before = judged(await workload.report(client));
  const violations = before.losses.map((loss) => `before anything was taken away: ${loss}`);
  const whole = (await promotions.history(client)).map(({ id }) => id).reverse();
  violations.push(...(await misreadBy(reader, whole)));

  const sql = ["SET session_replication_role = replica", ...SEEDED.map(({ statement }) => statement)];
  await site.tier.postgres.query(sql.join(";"), [], name);
  const digest = digestOf(bytesOf("0"));
  const object = { Bucket: name, Key: `objects/${digest.slice(0, 2)}/${digest}`, Body: bytesOf("another") };
  await s3Client(site.tier.s3.endpoint).send(new PutObjectCommand(object));

  const after = judged(await workload.report(client)).losses;
  for (const { report } of SEEDED) if (!after.includes(report)) violations.push(`not seen: ${report}`);
  if (!after.some((loss) => loss.startsWith("wrong: artifact")))
    violations.push("not seen: another artifact");
  if ((await misreadBy(reader, whole.slice(1))).length === 0)
    violations.push("not seen: a superfluous event");
  return { acknowledged: before.acknowledged, losses: [], violations, note: `${after.length} seen` };
}

export const checkFaults: Fault[] = [seeded];
