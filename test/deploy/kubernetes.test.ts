import { createHash } from "node:crypto";
import { describeSettings, loadConfig } from "../../src/config/config.js";
import { SECRET_VARIABLES } from "../../src/config/secret-files.js";
import { readProcessRole } from "../../src/process-role.js";
import { queueNames } from "../../workers/job-catalogue.js";
import { readCompose, requiredVariables } from "../support/compose-file.js";
import { imagesOf } from "./images.js";
import { idOf, renderOverlay } from "./manifests.js";
import type { KubernetesObject } from "./manifests.js";
import { at, environmentOf, isProcess, ofKind, workloadsOf } from "./workloads.js";
import type { Workload } from "./workloads.js";

const [staging, production] = await Promise.all(["staging", "production"].map(renderOverlay));
const OVERLAYS = { staging: staging!, production: production! };
const LONG = createHash("sha256").update("a secret").digest("hex");
const DSN = "postgresql://ml:x@postgres-rw:5432/platform";
/** What files of secrets hold, of the right form. */
const SECRETS: Record<string, string> = {
  ML_JWT_SECRET_KEY: `${LONG}a3`,
  ML_API_KEY_SECRET: `${LONG}b4`,
  ML_AUDIT_KEY: `${LONG}c5`,
  ML_VECTOR_DB_DSN: DSN,
  ML_MIGRATIONS_DSN: DSN.replace("ml:", "ml_owner:"),
  ML_REDIS_URL: "rediss://:x@redis-queue:6379",
  ML_CACHE_REDIS_URL: "rediss://:x@redis-cache:6379",
  ML_BACKUP_RECIPIENTS: "age1x",
  ML_BACKUP_IDENTITY: "AGE-SECRET-KEY-1X",
  ML_S3_ACCESS_KEY_ID: "x",
  ML_S3_SECRET_ACCESS_KEY: "x",
};
/** The image's own variables. */
const IMAGE = { NODE_ENV: "production", ML_HOST: "0.0.0.0", ML_PORT: "4000", ML_DATA_DIR: "/data" };

/** As the process would see it, files of secrets read. */
function seen(workload: Workload): Record<string, string> {
  const entries = Object.entries({ ...IMAGE, ...environmentOf(workload) });
  return Object.fromEntries(
    entries.flatMap(([name, value]) => {
      const plain = name.replace(/_FILE$/, "");
      if (plain === name || !SECRET_VARIABLES.includes(plain as never)) return [[name, value]];
      return SECRETS[plain] === undefined ? [] : [[plain, SECRETS[plain]]];
    }),
  );
}

const scaledBy = (object: KubernetesObject) => at<{ name: string }>(object, "spec.scaleTargetRef").name;
const autoscalersOf = (objects: readonly KubernetesObject[]) =>
  objects.filter(({ kind }) => kind === "HorizontalPodAutoscaler" || kind === "ScaledObject");

/** Most replicas of each Deployment. */
function mostOf(objects: readonly KubernetesObject[]): Record<string, number> {
  return Object.fromEntries(
    autoscalersOf(objects).map((each) => [
      scaledBy(each),
      at<number>(each, "spec.maxReplicas") ?? at<number>(each, "spec.maxReplicaCount"),
    ]),
  );
}

describe.each(Object.entries(OVERLAYS))("the overlay %s", (name, objects) => {
  const workloads = workloadsOf(objects);
  const processes = workloads.filter(isProcess);

  test("lies in one namespace, which admits nothing that Pod Security calls unrestricted", () => {
    const [namespace] = ofKind(objects, "Namespace");
    expect(namespace!.metadata.name).toBe(`ml-platform-${name}`);
    for (const mode of ["enforce", "audit", "warn"]) {
      expect(namespace!.metadata.labels![`pod-security.kubernetes.io/${mode}`]).toBe("restricted");
    }
    const strays = objects.filter(({ kind, metadata }) => kind !== "Namespace" && !metadata.namespace);
    expect(strays.map(idOf)).toEqual([]);
  });

  test.each(workloads)(
    "$kind $name runs without rights, within limits, and unknown to the API",
    (workload) => {
      const { spec } = workload;
      expect(spec).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: {
          ...{ runAsNonRoot: true, runAsUser: 1000, fsGroup: 2000 },
          seccompProfile: { type: "RuntimeDefault" },
        },
      });
      const accounts = ofKind(objects, "ServiceAccount").map(({ metadata }) => metadata.name);
      expect(accounts).toContain(spec.serviceAccountName);
      for (const { securityContext, resources } of [...(spec.initContainers ?? []), ...spec.containers]) {
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
        expect(resources).toMatchObject({
          requests: { cpu: expect.any(String), memory: expect.any(String) },
          limits: { cpu: expect.any(String), memory: expect.any(String) },
        });
      }
    },
  );

  test("accounts have no tokens, and the one role reads no secret", () => {
    for (const account of ofKind(objects, "ServiceAccount")) {
      expect(account.automountServiceAccountToken).toBe(false);
    }
    const roles = objects.filter(({ kind }) => /^(Cluster)?Role$/.test(kind));
    expect(roles.map(idOf)).toEqual(["Role release"]);
    const rules = at<{ resources: string[]; verbs: string[] }[]>(roles[0], "rules");
    const resources = new Set(rules.flatMap((rule) => rule.resources));
    const verbs = new Set(rules.flatMap((rule) => rule.verbs));
    expect([...resources].sort()).toEqual(["deployments", "pods", "replicasets"]);
    expect([...verbs].sort()).toEqual(["get", "list", "patch", "watch"]);
  });

  test("images are named by their content, but the platform's own until a release", () => {
    const images = [...new Set(objects.flatMap(imagesOf))];
    const loose = images.filter((image) => !/:[\w.-]+@sha256:[0-9a-f]{64}$/.test(image));
    expect(
      loose.every((image) => /^ghcr\.io\/254carbon\/ml-platform(-gpu)?:\d+\.\d+\.\d+$/.test(image)),
    ).toBe(true);
    expect(images.filter((image) => /bitnami|:latest\b/.test(image))).toEqual([]);
  });

  test("no secret is written down: all come from outside, and processes get them as files", () => {
    expect(ofKind(objects, "Secret")).toEqual([]);
    for (const workload of workloads) {
      const secretive = Object.entries(environmentOf(workload)).filter(
        ([name, value]) =>
          (SECRET_VARIABLES.includes(name as never) || /PASSWORD|SECRET$/.test(name)) &&
          !WITHIN_THE_POD.test(value),
      );
      expect([workload.name, secretive]).toEqual([workload.name, []]);
    }
  });

  test("every secret and file that is mounted is made here", () => {
    const made = new Set([
      ...ofKind(objects, "Certificate").map((each) => at<string>(each, "spec.secretName")),
      ...ofKind(objects, "ExternalSecret").map((each) => at<string>(each, "spec.target.name")),
      ...ofKind(objects, "ConfigMap").map(({ metadata }) => metadata.name),
    ]);
    const mounted = workloads.flatMap(({ spec }) =>
      (spec.volumes ?? []).map(({ secret, configMap }) => secret?.secretName ?? configMap?.name),
    );
    expect(mounted.filter((each) => each !== undefined && !made.has(each))).toEqual([]);
  });

  test.each(processes)("$name is given variables that it knows, and starts with them", (workload) => {
    const environment = seen(workload);
    const known = [...describeSettings(), "NODE_ENV"];
    expect(Object.keys(environment).filter((each) => !known.includes(each))).toEqual([]);
    const config = loadConfig(environment, { apart: true });
    expect(config).toMatchObject({ environment: name, database: { dsn: DSN }, http: { port: 4000 } });
    readProcessRole(workload.spec.containers[0]!.args!.slice(3));
    // Gateways, which callers reach, could not change what they may only add to.
    expect(config.database.migrationsDsn !== undefined).toBe(
      workload.labels["254carbon.com/role"] !== "gateway",
    );
    const gpu = workload.name === "worker-gpu";
    expect(config.drainMs).toBe(gpu ? 120_000 : 20_000);
    expect(workload.spec.terminationGracePeriodSeconds).toBe(gpu ? 600 : 45);
  });

  test("files that variables name lie in folders that are mounted", () => {
    for (const workload of processes) {
      const folders = workload.spec.containers[0]!.volumeMounts!.map(({ mountPath }) => `${mountPath}/`);
      const files = Object.values(environmentOf(workload)).filter((value) => value.startsWith("/run/"));
      expect(files.length).toBeGreaterThan(15);
      expect(files.filter((file) => !folders.some((folder) => file.startsWith(folder)))).toEqual([]);
    }
  });

  test("a pod that stands is asked after its health at the estate's intervals", () => {
    for (const { kind, spec, labels } of workloads.filter((each) => each.kind !== "Job")) {
      const [container] = spec.containers;
      expect(container!.readinessProbe).toMatchObject({
        ...{ initialDelaySeconds: 10, periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 3 },
      });
      expect(container!.livenessProbe).toMatchObject({
        ...{ initialDelaySeconds: 30, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 5 },
      });
      if (kind === "Deployment") {
        expect(container).toMatchObject({
          readinessProbe: { httpGet: { path: "/health/ready", scheme: "HTTPS" } },
          livenessProbe: { httpGet: { path: "/health/live", scheme: "HTTPS" } },
          startupProbe: { httpGet: { path: "/health/live", scheme: "HTTPS" } },
        });
      }
      expect(Object.keys(labels)).toContain("app.kubernetes.io/name");
    }
  });

  test("gateways leave the Service before they stop, within their time", () => {
    const gateway = workloads.find((each) => each.name === "gateway")!;
    expect(gateway.spec.containers[0]!.lifecycle).toEqual({ preStop: { sleep: { seconds: 10 } } });
    const { drainMs, drainNoticeMs } = loadConfig(seen(gateway), { apart: true });
    expect(10 + (drainNoticeMs + drainMs) / 1000).toBeLessThan(gateway.spec.terminationGracePeriodSeconds!);
    expect(gateway.spec.topologySpreadConstraints!.map((each) => at(each, "topologyKey"))).toEqual([
      "topology.kubernetes.io/zone",
      "kubernetes.io/hostname",
    ]);
  });

  test("Prometheus finds gateways and workers, by the names that its rules know", () => {
    const [monitor] = ofKind(objects, "PodMonitor").filter(({ metadata }) => metadata.name === "ml-platform");
    expect(monitor!.metadata.labels).toEqual({ release: "prometheus" });
    const [{ key, values }] = at<[{ key: string; values: string[] }]>(
      monitor,
      "spec.selector.matchExpressions",
    );
    const roles = processes.map(({ labels }) => labels[key]!);
    expect(values.every((role) => roles.includes(role))).toBe(true);
    expect(at(monitor, "spec.podMetricsEndpoints.0")).toMatchObject({
      ...{ port: "https", path: "/metrics", scheme: "https", tlsConfig: { serverName: "gateway" } },
      relabelings: [{ targetLabel: "job" }],
    });
  });

  test("workers take every queue between them, and are scaled by the depth of theirs", () => {
    const queuesOf = ({ spec }: Workload) => spec.containers[0]!.args!.at(-1)!.split(",");
    const workers = processes.filter(({ labels }) => labels["254carbon.com/role"] === "worker");
    expect([...new Set(workers.flatMap(queuesOf))].sort()).toEqual([...queueNames].sort());
    for (const worker of workers) {
      const [scaler] = autoscalersOf(objects).filter((each) => scaledBy(each) === worker.name);
      const query = at<string>(scaler, "spec.triggers.0.metadata.query");
      expect(query).toContain(`namespace="ml-platform-${name}"`);
      expect(/queue=~"([^"]*)"/.exec(query)![1]!.split("|")).toEqual(queuesOf(worker));
      expect(query).toContain('state=~"waiting|delayed"');
    }
  });

  test("each Deployment has one autoscaler, and each pod's kind a budget of disruptions", () => {
    const deployments = workloads.filter(({ kind }) => kind === "Deployment").map((each) => each.name);
    expect(autoscalersOf(objects).map(scaledBy).sort()).toEqual(deployments.sort());
    const budgets = ofKind(objects, "PodDisruptionBudget").map(({ metadata }) => metadata.name);
    const standing = workloads.filter(({ kind }) => kind !== "Job").map((each) => each.name);
    const poolers = ofKind(objects, "Pooler").map(({ metadata }) => metadata.name);
    expect(budgets.sort()).toEqual([...standing, ...poolers].sort());
  });

  test("all processes at their most, and a gateway more while they are replaced, find room at the pooler and at PostgreSQL", () => {
    const most = mostOf(objects);
    const [cluster] = ofKind(objects, "Cluster");
    const [pooler] = ofKind(objects, "Pooler");
    const needed = processes.map((workload) => {
      const { pooler: address, poolSize } = loadConfig(seen(workload), { apart: true }).database;
      expect([workload.name, address]).toEqual([
        workload.name,
        workload.name === "migrate" ? undefined : `${pooler!.metadata.name}:5432`,
      ]);
      const replicas = workload.name === "gateway" ? most.gateway! + 1 : (most[workload.name] ?? 1);
      // Beside its pool each has one that listens, one that locks, and one now and then.
      return address === undefined
        ? { pooled: 0, direct: replicas * (poolSize + 3) }
        : { pooled: replicas * poolSize, direct: replicas * 3 };
    });
    const sum = (kind: "pooled" | "direct") => needed.reduce((total, each) => total + each[kind], 0);
    const parameter = (name: string) => Number(at<string>(pooler, `spec.pgbouncer.parameters.${name}`));
    // Each pod could take them all: who connects chooses by chance.
    expect(sum("pooled")).toBeGreaterThan(0);
    expect(sum("pooled")).toBeLessThanOrEqual(parameter("max_client_conn"));
    const { maxSurge } = at<{ maxSurge: number }>(pooler, "spec.deploymentStrategy.rollingUpdate");
    const pods = at<number>(pooler, "spec.instances") + maxSurge;
    const statements = at<string[]>(cluster, "spec.bootstrap.initdb.postInitSQL");
    const [, lookUps] = /^CREATE ROLE pooler LOGIN CONNECTION LIMIT (\d+)$/.exec(statements[0]!)!;
    const connections = Number(at<string>(cluster, "spec.postgresql.parameters.max_connections"));
    // Superusers, standbys and the operator have theirs.
    expect(pods * parameter("default_pool_size") + Number(lookUps) + sum("direct")).toBeLessThanOrEqual(
      connections - 10,
    );
  });

  test("restores are tested beside the maintenance worker, on the server's own image, where nobody else reaches it", () => {
    const { spec } = workloads.find((each) => each.name === "worker-maintenance")!;
    const [server, ...others] = spec.initContainers!;
    expect(others).toEqual([]);
    const [catalogue] = ofKind(objects, "ImageCatalog");
    expect(server!.image).toBe(at(catalogue, "spec.images.0.image"));
    expect(server).toMatchObject({
      restartPolicy: "Always",
      args: expect.arrayContaining(["-clisten_addresses=localhost"]),
    });
    const { ML_RESTORE_TEST_DSN: dsn = "" } = environmentOf(processes.find((each) => each.spec === spec)!);
    expect(dsn).toMatch(WITHIN_THE_POD);
    const variables = Object.fromEntries(server!.env!.map(({ name: each, value }) => [each, value]));
    expect(new URL(dsn).username).toBe(variables.POSTGRES_USER);
    // As much room as the dump has.
    const sizeOf = (volume: string) =>
      at(
        spec.volumes!.find((each) => each.name === volume),
        "ephemeral.volumeClaimTemplate.spec.resources.requests.storage",
      );
    expect(sizeOf("restore-test")).toBe(sizeOf("data"));
    const apart = processes.filter((each) => each.spec !== spec);
    expect(apart.filter((each) => "ML_RESTORE_TEST_DSN" in environmentOf(each))).toEqual([]);
  });

  test("a GPU worker asks for a GPU on a node that has one", () => {
    const { spec } = workloads.find((each) => each.name === "worker-gpu")!;
    expect(spec).toMatchObject({
      nodeSelector: { "nvidia.com/gpu.present": "true" },
      tolerations: [{ key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" }],
      containers: [{ resources: { limits: { "nvidia.com/gpu": "1" } } }],
    });
    expect(spec.containers[0]!.image).toContain("ml-platform-gpu");
  });

  test("the embedding worker's memory is fitted between the estate's bounds", () => {
    const vertical = ofKind(objects, "VerticalPodAutoscaler");
    expect(vertical.map(({ metadata }) => metadata.name)).toEqual(["worker-embedding", "worker-gpu"]);
    for (const each of vertical) {
      expect(at(each, "spec.resourcePolicy.containerPolicies")).toEqual([
        {
          containerName: "platform",
          controlledResources: ["memory"],
          minAllowed: { cpu: "500m", memory: "1Gi" },
          maxAllowed: { cpu: "4", memory: "8Gi" },
        },
      ]);
    }
    expect(at(vertical[1], "spec.updatePolicy.updateMode")).toBe("Off");
  });

  test("the edge speaks TLS 1.3, lets callers reach the graph alone, and checks the gateways' certificate", () => {
    expect(at(ofKind(objects, "ClientTrafficPolicy")[0], "spec.tls.minVersion")).toBe("1.3");
    const [route] = ofKind(objects, "HTTPRoute").filter(({ metadata }) => metadata.name === "gateway");
    const rules = at<{ matches: { path: { value: string } }[] }[]>(route, "spec.rules");
    const paths = rules.flatMap(({ matches }) => matches.map(({ path }) => path.value));
    expect(paths.sort()).toEqual(["/artifacts", "/graphql", "/health/ready"]);
    expect(at(ofKind(objects, "BackendTLSPolicy")[0], "spec.validation.hostname")).toBe("gateway");
    const host = at<string>(ofKind(objects, "Gateway")[0], "spec.listeners.0.hostname");
    for (const workload of processes) expect(environmentOf(workload).ML_PUBLIC_URL).toBe(`https://${host}`);
  });

  test("what the platform says of itself is what the compose file says", () => {
    const file = "docker-compose.yml";
    const secrets = Object.fromEntries(requiredVariables(file).map((each) => [each, LONG]));
    const { services } = readCompose(file, { ...secrets, ML_ENV: name });
    for (const workload of processes.filter((each) => each.name !== "migrate")) {
      const theirs = services[workload.name]!.environment!;
      const ours = seen(workload);
      const added = Object.keys(ours).filter((each) => !(each in theirs) && !(each in IMAGE));
      expect(added.filter((each) => !ONLY_IN_A_CLUSTER.has(each))).toEqual([]);
      const lacking = Object.keys(theirs).filter((each) => !(each in ours));
      expect(lacking).toEqual(name === "staging" ? ["ML_S3_PUBLIC_ENDPOINT"] : []);
      const different = Object.keys(theirs).filter((each) => each in ours && ours[each] !== theirs[each]);
      expect(different.filter((each) => !PLACES.has(each) && SECRETS[each] === undefined)).toEqual([]);
      expect(workload.spec.containers[0]!.args).toEqual(services[workload.name]!.command);
    }
  });
});

/** TLS between all of them, the secret of before, the tables' owner, and what the edge adds. */
const ONLY_IN_A_CLUSTER = new Set([
  ...["ML_TLS_CERT", "ML_TLS_KEY", "ML_TLS_CLIENT_CA", "ML_PUBLIC_URL", "ML_DRAIN_NOTICE_MS"],
  ...["ML_VECTOR_DB_CA", "ML_VECTOR_DB_CERT", "ML_VECTOR_DB_KEY", "ML_MIGRATIONS_DSN"],
  ...["ML_VECTOR_DB_POOL", "ML_VECTOR_DB_POOLER"],
  ...["ML_REDIS_CA", "ML_REDIS_CERT", "ML_REDIS_KEY", "ML_S3_CA", "ML_S3_REGION"],
  ...["ML_API_KEY_SECRET", "ML_AUDIT_KEY", "ML_INFERENCE_WORKERS"],
]);
/** Nobody but the pod's own containers reaches it: there is no password to know. */
const WITHIN_THE_POD = /^postgresql:\/\/\w+@localhost:5432\/\w+$/;
/** Where things are differs. */
const PLACES = new Set([
  "ML_RESTORE_TEST_DSN",
  ...["ML_S3_ENDPOINT", "ML_S3_PUBLIC_ENDPOINT", "ML_S3_BUCKET", "ML_MIRROR_BUCKET"],
  "OTEL_EXPORTER_OTLP_ENDPOINT",
]);

test("in production gateways are scaled by CPU and requests, from 3 to 20", () => {
  const [scaler] = autoscalersOf(production!).filter((each) => scaledBy(each) === "gateway");
  expect(scaler).toMatchObject({
    kind: "ScaledObject",
    spec: {
      ...{ minReplicaCount: 3, maxReplicaCount: 20 },
      triggers: [
        { type: "cpu", metricType: "Utilization", metadata: { value: "70" } },
        { name: "http_requests_per_second", metricType: "AverageValue", metadata: { threshold: "100" } },
      ],
    },
  });
  const query = at<string>(scaler, "spec.triggers.1.metadata.query");
  expect(query).toContain("rate(http_server_request_duration_seconds_count{");
});
