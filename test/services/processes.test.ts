import { startCluster } from "../support/cluster.js";
import type { Cluster } from "../support/cluster.js";
import { rawRequest } from "../support/raw-http.js";
import { metric } from "../support/metrics.js";
import { refusalOf } from "../support/platform.js";

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, workers: [["--queues", "training,embedding"], []] });
}, 120_000);

afterAll(() => cluster.remove());

test("gateways answer the graph to whoever has a token", async () => {
  for (const gateway of cluster.gateways) {
    expect(await gateway.query("{ me { subject } }")).toEqual({ me: { subject: "tester" } });
    expect(refusalOf(await gateway.ask("{ me { subject } }", {}, { authorization: "" }))).toBe(
      "UNAUTHENTICATED",
    );
  }
});

test("workers answer health and metrics, and no graph", async () => {
  for (const worker of cluster.workers) {
    for (const path of ["/health/live", "/health/ready", "/health"]) {
      expect((await rawRequest(`${worker.url}${path}`)).status).toBe(200);
    }
    expect(await metric(worker, "process_cpu_seconds_total")).toBeGreaterThan(0);
    expect((await rawRequest(`${worker.url}/graphql`)).status).toBe(404);
  }
});
