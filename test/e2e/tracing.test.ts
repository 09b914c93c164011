import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { eventually, startPlatform } from "../support/platform.js";

interface Span {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
}

/** Takes what an OpenTelemetry exporter sends as JSON over HTTP. */
async function startCollector(): Promise<{ url: string; spans: Span[]; server: Server }> {
  const spans: Span[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const { resourceSpans } = JSON.parse(body) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] };
      spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)));
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spans, server };
}

test("one trace follows a training from the client's request through the queue to the worker's statements", async () => {
  const collector = await startCollector();
  const platform = await startPlatform({ environment: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url } });
  try {
    await platform.query(`mutation {
      defineCurve(input: { name: "flat", kind: YIELD, unit: "percent", tenors: ["P1Y", "P5Y", "P10Y"] }) { curve { id } }
    }`);
    const snapshots = Array.from({ length: 400 }, (_, i) => ({
      date: new Date(Date.UTC(2020, 0, 1 + i)).toISOString().slice(0, 10),
      points: [1, 5, 10].map((years) => ({ tenor: `P${years}Y`, value: 3 + Math.sin(i / 9) / years })),
    }));
    await platform.query("mutation ($input: RecordCurveInput!) { recordCurve(input: $input) { created } }", {
      input: { curve: "flat", snapshots },
    });
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const started = await platform.query<{ startTraining: { run: { id: string } } }>(
      `mutation { startTraining(input: { model: "traced", curve: "flat", type: RANDOM_WALK, horizons: [1] }) { run { id } } }`,
      {},
      { traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
    );
    await eventually(
      () =>
        platform.query<{ trainingRun: { status: string } }>(
          "query ($id: ID!) { trainingRun(id: $id) { status } }",
          { id: started.startTraining.run.id },
        ),
      ({ trainingRun: { status } }) => status === "SUCCEEDED",
    );
    await platform.stop();
    const trace = collector.spans.filter((span) => span.traceId === traceId);
    const names = new Set(trace.map(({ name }) => name));
    expect(names).toContain("POST /graphql");
    expect(names).toContain("mutation");
    expect(names).toContain("Mutation.startTraining");
    expect(names).toContain("job train-forecaster");
    expect(names).toContain("INSERT");
    const ids = new Set([...trace.map(({ spanId }) => spanId), "00f067aa0ba902b7"]);
    expect(trace.filter(({ parentSpanId }) => !ids.has(parentSpanId ?? ""))).toEqual([]);
  } finally {
    await platform.remove();
    collector.server.close();
  }
});
