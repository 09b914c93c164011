import { parse } from "yaml";
import { metricsRegistry } from "../../src/telemetry/metrics.js";
import { rules, seriesOf } from "../support/alert-rules.js";
import { readFromRoot } from "../support/compose-file.js";
import { dashboards, queries } from "../support/dashboards.js";
import { createCollection, ingest } from "../support/documents.js";
import { uploadEmbedder } from "../support/embedders.js";
import { forecastOf } from "../support/forecasts.js";
import { GraphListener } from "../support/graph-listener.js";
import { curveWithHistory, datesOf, snapshotsOf, trained } from "../support/market-curves.js";
import { metric } from "../support/metrics.js";
import { linearModel } from "../support/onnx-models.js";
import { eventually, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { prometheusPath, startPrometheus } from "../support/prometheus.js";
import type { Prometheus, Series } from "../support/prometheus.js";
import { promote, uploadVersion } from "../support/registry.js";
import { search } from "../support/searching.js";
import { startSpanCollector } from "../support/span-collector.js";
import type { SpanCollector } from "../support/span-collector.js";
import { upkeep } from "../support/upkeep.js";

/** Series that a platform of one process on a machine without a GPU does not have. */
const ELSEWHERE: Record<string, string> = {
  database_replica_lag_seconds: "there are no replicas: services/replica-graph sees it",
  cache_server_up: "there is no shared cache: services/shared-cache sees it",
  gpu_memory_used_bytes: "there is no GPU: unit/gpu-gauges sees it",
  gpu_memory_total_bytes: "there is no GPU: unit/gpu-gauges sees it",
  gpu_utilization_ratio: "there is no GPU: unit/gpu-gauges sees it",
};

const here = queries.filter(({ expr }) => !seriesOf(expr).some((series) => series in ELSEWHERE));
const withPrometheus = prometheusPath === undefined ? test.skip : test;

let platform: Platform;
let collector: SpanCollector;
let prometheus: Prometheus;

beforeAll(async () => {
  if (prometheusPath === undefined) return;
  collector = await startSpanCollector();
  platform = await startPlatform({ environment: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url } });
  prometheus = await startPrometheus(prometheusPath, platform.url);
});

afterAll(async () => {
  await prometheus?.stop();
  await platform?.remove();
  collector?.close();
});

test("dashboards are told apart, and every panel says what it shows and has its own place", () => {
  expect(new Set(dashboards.map(({ uid }) => uid)).size).toBe(4);
  const { datasources } = parse(readFromRoot("deploy/grafana/provisioning/datasources/datasources.yml")) as {
    datasources: { uid: string; type: string; jsonData?: object }[];
  };
  for (const { panels } of dashboards) {
    for (const { description, gridPos, targets } of panels) {
      expect(description).toMatch(/\.$/);
      const overlaps = panels.filter(
        ({ gridPos: other }) =>
          other.x < gridPos.x + gridPos.w &&
          gridPos.x < other.x + other.w &&
          other.y < gridPos.y + gridPos.h &&
          gridPos.y < other.y + other.h,
      );
      expect(overlaps).toHaveLength(1);
      for (const { datasource } of targets)
        expect(datasources).toContainEqual(expect.objectContaining(datasource));
    }
  }
  const prometheusSource = datasources.find(({ uid }) => uid === "prometheus");
  expect(prometheusSource!.jsonData).toMatchObject({
    exemplarTraceIdDestinations: [{ name: "trace_id", datasourceUid: "jaeger" }],
  });
  expect(datasources).toContainEqual(expect.objectContaining({ uid: "jaeger", type: "jaeger" }));
});

test("panels read what is exported or recorded, and those without data here are known", () => {
  const names = metricsRegistry.getMetricsAsArray().map(({ name }) => name);
  const known = new Set([...names, ...rules.flatMap(({ record }) => record ?? []), "up"]);
  const read = queries.flatMap(({ expr }) =>
    seriesOf(expr).map((name) => name.replace(/_(bucket|count|sum)$/, "")),
  );
  expect(read.filter((name) => !known.has(name))).toEqual([]);
  expect(Object.keys(ELSEWHERE).filter((name) => !read.includes(name))).toEqual([]);
  expect(here.length).toBeGreaterThan(50);
});

/** What comes first, so that the rest has something to work on. */
async function prepare(): Promise<void> {
  await uploadVersion(platform, "linear", linearModel());
  await promote(platform, { model: "linear", number: 1 });
  await uploadVersion(platform, "linear", linearModel());
  await uploadEmbedder(platform, "embedder");
  await promote(platform, { model: "embedder", number: 1 });
  await curveWithHistory(platform, "yields", snapshotsOf(datesOf(200)));
  await trained(platform, { model: "forecaster", curve: "yields" });
  await promote(platform, { model: "forecaster", number: 1 });
  await createCollection(platform, { name: "notes", embedder: "embedder" });
}

/** One of everything. */
async function use(round: number): Promise<void> {
  const events = new GraphListener(platform, "subscription { promotionEvents { cursor } }");
  await eventually(
    () => metric(platform, "graphql_subscriptions_open"),
    (count) => count === 1,
  );
  await platform.query("query ($input: PredictInput!) { predict(input: $input) { id } }", {
    input: { model: "linear", inputs: [{ name: "x", values: [[1, 2, 3]] }] },
  });
  await platform.ask(`{ predict(input: { model: "absent", inputs: [] }) { id } }`);
  await forecastOf(platform, { curve: "yields", model: "forecaster" });
  await platform.query(`{ embed(input: { model: "embedder", texts: ["gas ${round}"] }) { dimensions } }`);
  await ingest(platform, "notes", [{ key: `note-${round}`, text: `Gas is cheap, power is dear: ${round}.` }]);
  await search(platform, { collection: "notes", query: "gas" });
  await promote(platform, { model: "linear", number: 2, stage: round % 2 === 0 ? "STAGING" : "ARCHIVED" });
  await upkeep(platform, "reindexCollection", { collection: "notes" });
  await upkeep(platform, "startBackup");
  await events.until((received) => received.length > 0);
  await events.close();
}

/** What no panel could draw: nothing, or not a number. */
const isEmpty = (series: Series[]) => series.every(({ value: [, value] }) => value === "NaN");

withPrometheus(
  "every panel has data once the platform is used, and slow points lead to kept traces",
  async () => {
    await prepare();
    await use(0);
    const seen = `job_duration_seconds_count{kind="backup", outcome="completed"}`;
    await eventually(
      () => prometheus.query(seen),
      (series) => !isEmpty(series),
    );
    await use(1);
    let empty = here;
    const stillEmpty = async (): Promise<string[]> => {
      const answers = await Promise.all(empty.map(({ expr }) => prometheus.query(expr)));
      empty = empty.filter((_, i) => isEmpty(answers[i]!));
      return empty.map(({ panel, expr }) => `${panel}: ${expr}`);
    };
    await eventually(stillEmpty, (panels) => panels.length === 0);
    const exemplified = here.filter(({ exemplar }) => exemplar);
    expect(exemplified.length).toBeGreaterThan(6);
    for (const { panel, expr } of exemplified) {
      const series = await prometheus.exemplars(expr);
      const traces = series.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels.trace_id!));
      expect([panel, traces.length > 0]).toEqual([panel, true]);
      await eventually(
        () => Promise.resolve(collector.text()),
        (text) => traces.some((trace) => text.includes(trace)),
      );
    }
  },
  120_000,
);
