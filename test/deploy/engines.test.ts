import { createHash } from "node:crypto";
import { readCompose, readFromRoot, readVariables, requiredVariables } from "../support/compose-file.js";
import { renderOverlay } from "./manifests.js";
import { at, environmentOf, ofKind, workloadsOf } from "./workloads.js";
import type { PodSpec } from "./workloads.js";

const [staging, production] = await Promise.all(["staging", "production"].map(renderOverlay));
const LONG = createHash("sha256").update("a secret").digest("hex");

test("PostgreSQL is three instances of the estate's sizes and settings, whose log leaves them", () => {
  const [cluster] = ofKind(production!, "Cluster");
  expect(cluster!.spec).toMatchObject({
    instances: 3,
    storage: { size: "100Gi" },
    postgresql: { synchronous: { method: "any", number: 1, dataDurability: "required" } },
    plugins: [{ name: "barman-cloud.cloudnative-pg.io", isWALArchiver: true }],
  });
  const file = "docker-compose.yml";
  const secrets = Object.fromEntries(requiredVariables(file).map((each) => [each, LONG]));
  const sizes = readVariables("deploy/docker/laptop.env");
  for (const [objects, variables] of [[production!, {}] as const, [staging!, sizes] as const]) {
    const { postgres } = readCompose(file, { ...secrets, ...variables }).services;
    const flags = postgres!.command!.slice(1).map((flag) => flag.replace(/^-c/, "").split(/=(.*)/s));
    const theirs = Object.fromEntries(flags) as Record<string, string>;
    const ours = at<Record<string, string>>(ofKind(objects, "Cluster")[0], "spec.postgresql.parameters");
    for (const setting of SEVEN_SETTINGS)
      expect([setting, ours[setting]]).toEqual([setting, theirs[setting]]);
  }
  const [backup] = ofKind(production!, "ScheduledBackup");
  expect(backup!.spec).toMatchObject({ schedule: "0 0 2 * * *", method: "plugin" });
  expect(ofKind(production!, "ObjectStore")[0]).toMatchObject({
    spec: {
      retentionPolicy: "30d",
      configuration: { wal: { encryption: "AES256" }, data: { encryption: "AES256" } },
    },
  });
});

const SEVEN_SETTINGS = [
  ...["shared_buffers", "effective_cache_size", "maintenance_work_mem", "checkpoint_completion_target"],
  ...["wal_buffers", "default_statistics_target", "max_connections"],
];

describe.each([
  ["staging", staging!, 2],
  ["production", production!, 3],
] as const)("the pooler of %s", (_name, objects, instances) => {
  const [pooler] = ofKind(objects, "Pooler");
  const [cluster] = ofKind(objects, "Cluster");
  const certificate = ofKind(objects, "Certificate").find(({ metadata }) => metadata.name === "pooler");

  test("pools transactions before the primary, each pod under an address of its own", () => {
    expect(pooler!.spec).toMatchObject({
      ...{ cluster: { name: cluster!.metadata.name }, type: "rw", instances },
      serviceTemplate: { spec: { clusterIP: "None" } },
      deploymentStrategy: { rollingUpdate: { maxUnavailable: 0 } },
      pgbouncer: { poolMode: "transaction", parameters: { query_wait_timeout: "15" } },
    });
    const refused = ["ignore_startup_parameters", "auth_type", "auth_user"];
    const parameters = Object.keys(at(pooler, "spec.pgbouncer.parameters"));
    expect(parameters.filter((each) => refused.includes(each))).toEqual([]);
  });

  test("demands TLS and certificates on both sides, and has one for both", () => {
    expect(at(pooler, "spec.pgbouncer")).toMatchObject({
      clientTLSSecret: { name: at(certificate, "spec.secretName") },
      serverTLSSecret: { name: at(certificate, "spec.secretName") },
      parameters: { client_tls_sslmode: "verify-full", server_tls_sslmode: "verify-full" },
    });
    expect(certificate!.spec).toMatchObject({
      // What it follows when it is renewed.
      secretTemplate: { labels: { "cnpg.io/reload": "" } },
      commonName: "pooler",
      dnsNames: [pooler!.metadata.name],
      usages: expect.arrayContaining(["server auth", "client auth"]),
    });
    const server = ofKind(objects, "Certificate").find(
      (each) => at(each, "spec.secretName") === at(cluster, "spec.certificates.serverTLSSecret"),
    );
    expect(at(server, "spec.dnsNames")).toContain("postgres-rw");
  });

  test("lets the platform's role through to its database, and nobody else anywhere", () => {
    const rules = at<string[]>(pooler, "spec.pgbouncer.pg_hba").map((rule) => rule.split(" "));
    const dsn = new URL("postgresql://ml:x@postgres-rw:5432/platform");
    for (const everywhere of ["0.0.0.0/0", "::/0"]) {
      expect(rules.filter(([, , , address]) => address === everywhere)).toEqual([
        ["hostssl", dsn.pathname.slice(1), dsn.username, everywhere, "scram-sha-256"],
        ["host", "all", "all", everywhere, "reject"],
      ]);
    }
    expect(rules).toHaveLength(4);
  });

  test("looks up that role's password alone, by a role that may do nothing else", () => {
    const statements = at<string[]>(cluster, "spec.bootstrap.initdb.postInitSQL");
    const call = "public.password_for_pooler";
    expect(at(pooler, "spec.pgbouncer.authQuery")).toBe(`SELECT usename, passwd FROM ${call}($1)`);
    const [role, definition, ...rights] = statements;
    expect(role).toMatch(/^CREATE ROLE pooler LOGIN CONNECTION LIMIT \d+$/);
    expect(definition).toContain(`CREATE FUNCTION ${call}(role text)`);
    expect(definition).toContain("SECURITY DEFINER SET search_path = pg_catalog, pg_temp");
    expect(definition).toContain("CASE WHEN s.valuntil < now() THEN NULL ELSE s.passwd END");
    expect(definition).toContain("WHERE s.usename = 'ml' AND s.usename = $1");
    expect(rights).toEqual([
      `REVOKE ALL ON FUNCTION ${call}(text) FROM PUBLIC`,
      `GRANT EXECUTE ON FUNCTION ${call}(text) TO pooler`,
    ]);
    // They travel in a container's arguments, where Kubernetes makes one dollar of two, and of $(NAME) a variable.
    expect(statements.filter((each) => /\$[$(]/.test(each))).toEqual([]);
    const [first, second] = at<string[]>(cluster, "spec.postgresql.pg_hba");
    expect(first).toBe("hostssl postgres pooler all cert");
    expect(second).toBe("hostssl platform ml,ml_owner all scram-sha-256 clientcert=verify-ca");
  });

  test("is spread over nodes, within limits, lets who is replaced finish, and is watched", () => {
    const labels = { "cnpg.io/poolerName": pooler!.metadata.name };
    const { spec } = at<{ spec: PodSpec }>(pooler, "spec.template");
    expect(spec.topologySpreadConstraints!.map((each) => at(each, "labelSelector.matchLabels"))).toEqual([
      labels,
      labels,
    ]);
    expect(spec.containers).toMatchObject([
      {
        name: "pgbouncer",
        lifecycle: { preStop: { sleep: { seconds: 10 } } },
        resources: {
          requests: { cpu: expect.any(String), memory: expect.any(String) },
          limits: { cpu: expect.any(String), memory: expect.any(String) },
        },
      },
    ]);
    const selecting = (kind: string) =>
      ofKind(objects, kind).find(({ metadata }) => metadata.name === pooler!.metadata.name);
    expect(at(selecting("PodMonitor"), "spec.selector.matchLabels")).toEqual(labels);
    expect(at(selecting("PodDisruptionBudget"), "spec.selector.matchLabels")).toEqual(labels);
  });
});

test("staging has its own object store, under the name that scripts know, and its buckets", () => {
  const store = workloadsOf(staging!).find(({ name }) => name === "minio")!;
  expect(store.spec.containers[0]!.image).toContain("seaweedfs");
  const [config] = ofKind(staging!, "ConfigMap");
  expect(at<Record<string, string>>(config, "data")["create-buckets.sh"]).toBe(
    readFromRoot("deploy/docker/create-buckets.sh"),
  );
  const job = workloadsOf(staging!).find(({ name }) => name === "create-buckets")!;
  const buckets = environmentOf(job).BUCKETS!.split(" ");
  const gateway = environmentOf(workloadsOf(staging!).find(({ name }) => name === "gateway")!);
  const backups = at<string>(ofKind(staging!, "ObjectStore")[0], "spec.configuration.destinationPath");
  expect(buckets).toEqual([
    gateway.ML_S3_BUCKET,
    gateway.ML_MIRROR_BUCKET,
    /s3:\/\/(.*)\//.exec(backups)![1],
  ]);
});

test("Valkey keeps jobs and lets the cache go, each within its memory", () => {
  for (const [objects, queue, cache] of [
    [production!, "2gb", "4gb"] as const,
    [staging!, "128mb", "128mb"] as const,
  ]) {
    const named = (name: string) => workloadsOf(objects).find((each) => each.name === name)!;
    const command = (name: string) => named(name).spec.containers[0]!.args![0]!;
    expect(command("redis-queue")).toContain(
      "--maxmemory-policy noeviction --appendonly yes --appendfsync everysec",
    );
    expect(command("redis-cache")).toContain('--maxmemory-policy allkeys-lfu --appendonly no --save ""');
    expect(environmentOf(named("redis-queue")).MAXMEMORY).toBe(queue);
    expect(environmentOf(named("redis-cache")).MAXMEMORY).toBe(cache);
    for (const name of ["redis-queue", "redis-cache"]) {
      expect(command(name)).toContain("--port 0 --tls-port 6379 --tls-auth-clients yes");
    }
  }
});
