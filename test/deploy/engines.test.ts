import { createHash } from "node:crypto";
import { readCompose, readFromRoot, readVariables, requiredVariables } from "../support/compose-file.js";
import { renderOverlay } from "./manifests.js";
import { at, environmentOf, ofKind, workloadsOf } from "./workloads.js";

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
