import { CHARTS, renderChart } from "./charts.js";
import { idOf, renderOverlay } from "./manifests.js";
import type { KubernetesObject } from "./manifests.js";

const chartsOf = (environment: string) =>
  Object.entries(CHARTS)
    .filter(([, environments]) => (environments as readonly string[]).includes(environment))
    .map(([chart]) => chart);

/** As it is compared: Helm adds the namespace when it sends, and the order of variables and volumes has no meaning. */
function plain(object: KubernetesObject): unknown {
  const metadata = { ...object.metadata, namespace: undefined };
  return JSON.parse(JSON.stringify({ ...object, metadata }), (name, value: unknown) =>
    ["env", "volumes", "volumeMounts"].includes(name) && Array.isArray(value)
      ? (value as { name: string }[]).sort((a, b) => (a.name < b.name ? -1 : 1))
      : value,
  );
}

const byId = (objects: readonly KubernetesObject[]) =>
  Object.fromEntries(objects.map((object) => [idOf(object), plain(object)]));

/** All charts that a namespace gets, as `helm install` would one after the other. */
async function installed(environment: "staging" | "production", helm: string) {
  const run = { namespace: `ml-platform-${environment}`, values: environment, helm };
  const rendered = await Promise.all(chartsOf(environment).map((chart) => renderChart(chart, run)));
  return rendered.flat();
}

test.each([
  ["staging", "4"],
  ["staging", "3"],
  ["production", "4"],
  ["production", "3"],
] as const)("the charts make of %s what its overlay makes, with Helm %s", async (environment, helm) => {
  const overlay = (await renderOverlay(environment)).filter(({ kind }) => kind !== "Namespace");
  const charts = await installed(environment, helm);
  expect(charts.map(idOf).sort()).toEqual(overlay.map(idOf).sort());
  expect(byId(charts)).toEqual(byId(overlay));
});

test("with an Ingress instead of the Gateway API the chart makes what that overlay makes", async () => {
  const overlay = (await renderOverlay("staging-ingress")).filter(({ kind }) => kind !== "Namespace");
  const namespace = "ml-platform-staging";
  const [platform, ...engines] = await Promise.all(
    chartsOf("staging").map((chart) =>
      renderChart(chart, {
        namespace,
        values: "staging",
        set: chart === "ml-platform" ? ["edge.ingress=true"] : [],
      }),
    ),
  );
  expect(byId([...platform!, ...engines.flat()])).toEqual(byId(overlay));
});

test("recovered to a moment, the chart makes what that overlay makes", async () => {
  const overlay = await renderOverlay("production-recovered");
  const charts = await renderChart("postgres", {
    ...{ namespace: "ml-platform-production", values: "production" },
    set: ["targetTime=2026-11-29 12:34:56+00", "from=postgres", "as=postgres-recovered"].map(
      (each) => `recovery.${each}`,
    ),
  });
  const cluster = (objects: readonly KubernetesObject[]) => byId(objects)["Cluster postgres"];
  expect(cluster(charts)).toEqual(cluster(overlay));
  expect(cluster(overlay)).toMatchObject({
    spec: { plugins: [{ parameters: { serverName: "postgres-recovered" } }] },
  });
});

test.each([
  ["ml-platform", [], /host/],
  ["ml-platform", ["host=a", "gateway.least=0"], /gateway[./]least/],
  ["ml-platform", ["host=a", "enviroment.ML_ENV=production"], /enviroment/],
  ["ml-platform", ["host=a", "environment.ML_JWT_SECRET_KEY=x"], /ML_JWT_SECRET_KEY/],
  ["ml-platform", ["host=a", "image.tag=latest"], /latest|image[./]tag/],
  ["postgres", ["instances=1"], /instances/],
  ["postgres", ["image.digest="], /image[./]digest/],
  ["postgres", ["pooler.instances=1"], /pooler[./]instances/],
  ["postgres", ["recovery.targetTime=yesterday", "recovery.from=a", "recovery.as=b"], /targetTime/],
  ["redis", ["queue.maxMemory=lots"], /queue[./]maxMemory/],
  ["minio", ["storge=1Gi"], /storge/],
] as const)("%s refuses %j", async (chart, set, reason) => {
  await expect(renderChart(chart, { namespace: "a", set })).rejects.toThrow(reason);
});
