import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { describeSettings, loadConfig } from "../../src/config/config.js";
import { queueNames } from "../../workers/job-catalogue.js";
import { readCompose, readFromRoot, readVariables, requiredVariables } from "../support/compose-file.js";
import type { ComposeService } from "../support/compose-file.js";

const FILE = "docker-compose.yml";
const SECRETS = Object.fromEntries(
  requiredVariables(FILE).map((name) => [name, createHash("sha256").update(FILE).digest("hex")]),
);
const SIZES = readVariables("deploy/docker/laptop.env");
const { services, networks, volumes } = readCompose(FILE, SECRETS);
const all = Object.entries(services);
/** Those that end by themselves. */
const ONE_SHOT = ["prepare-volumes", "create-buckets"];
const standing = all.filter(([name]) => !ONE_SHOT.includes(name));
const platform = all.filter(([, { build }]) => build !== undefined);

/** What the image itself sets. */
function imageEnvironment(dockerfile: string): Record<string, string> {
  const [, assignments] = /^ENV ((?:.*\\\n)*.*)$/m.exec(readFromRoot(dockerfile))!;
  return Object.fromEntries(
    [...assignments!.matchAll(/(\w+)=(\S+)/g)].map(([, name, value]) => [name!, value!]),
  );
}

const environmentOf = ({ build, environment }: ComposeService) => ({
  ...imageEnvironment(build!.dockerfile),
  ...environment,
});

test.each(platform)("%s is given variables that the platform knows, and starts with them", (_, service) => {
  const environment = environmentOf(service);
  const strange = Object.keys(environment).filter(
    (name) => name !== "NODE_ENV" && !describeSettings().includes(name),
  );
  expect(strange).toEqual([]);
  const config = loadConfig(environment, { apart: true });
  expect(config.environment).toBe("staging");
  expect(config.http).toMatchObject({ host: "0.0.0.0", port: 4000 });
  expect(parseInt(service.stop_grace_period!)).toBeGreaterThan(config.drainMs / 1000 + 10);
});

test("production takes the same file", () => {
  const { gateway } = readCompose(FILE, { ...SECRETS, ML_ENV: "production" }).services;
  expect(loadConfig(environmentOf(gateway!), { apart: true }).environment).toBe("production");
});

test("no secret has a default", () => {
  expect(Object.keys(SECRETS)).toEqual([
    "ARCHIVER_PASSWORD",
    "GRAFANA_PASSWORD",
    "ML_JWT_SECRET_KEY",
    "POSTGRES_PASSWORD",
    "REDIS_PASSWORD",
    "S3_ACCESS_KEY",
    "S3_SECRET_KEY",
  ]);
  for (const name of Object.keys(SECRETS)) {
    expect(() => readCompose(FILE, { ...SECRETS, [name]: "" })).toThrow(`${name} is not set`);
    expect(readFromRoot("deploy/docker/create-secrets.sh")).toContain(name);
  }
  const secretive = all.flatMap(([, { environment = {} }]) => Object.entries(environment));
  for (const [name, value] of secretive.filter(([name]) => /PASSWORD|SECRET|_KEY|AUTH$/.test(name))) {
    expect([name, value]).toEqual([name, Object.values(SECRETS)[0]]);
  }
});

test.each(all)("%s has a pinned image, limits, and no rights that it does not need", (_, service) => {
  expect(service.image).toMatch(/:v?\d+\.\d+\.\d+|:\d+\.\d+$/);
  expect(service.deploy!.resources.limits).toEqual({ cpus: expect.any(String), memory: expect.any(String) });
  expect(service).toMatchObject({
    read_only: true,
    cap_drop: ["ALL"],
    security_opt: ["no-new-privileges:true"],
  });
});

test("rights beyond none are those of the step that prepares volumes", () => {
  const having = all.filter(([, { cap_add }]) => cap_add).map(([name, { cap_add }]) => [name, cap_add]);
  expect(having).toEqual([["prepare-volumes", ["CHOWN"]]]);
});

test("whoever stands is asked after its health, but the one whose image has nothing to ask with", () => {
  const silent = standing.filter(([, { healthcheck }]) => healthcheck?.test === undefined);
  expect(silent.map(([name]) => name)).toEqual(["jaeger"]);
});

test("everything waits for what it needs, and all that is needed is there", () => {
  for (const [, { depends_on = {} }] of all) {
    for (const [name, { condition }] of Object.entries(depends_on)) {
      expect(Object.keys(services)).toContain(name);
      expect(condition).toBe(ONE_SHOT.includes(name) ? "service_completed_successfully" : "service_healthy");
    }
  }
  for (const [name, { depends_on }] of platform) {
    expect(Object.keys(depends_on!)).toEqual([
      ...["postgres", "wal-receiver", "redis-queue", "redis-cache", "create-buckets"],
      ...(name === "worker-maintenance" ? ["restore-test"] : []),
    ]);
  }
});

test("ports are open on this machine alone, and the engines have none but the S3 store", () => {
  const open = all.flatMap(([name, { ports = [] }]) => ports.map((port) => [name, port]));
  expect(open.map(([name]) => name).sort()).toEqual([
    "alertmanager",
    "balancer",
    "grafana",
    "jaeger",
    "minio",
    "prometheus",
  ]);
  for (const [, port] of open) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  expect(networks.back).toEqual({ internal: true });
  for (const name of ["postgres", "restore-test", "redis-queue", "redis-cache", "wal-receiver"]) {
    expect(services[name]!.networks).toEqual(["back"]);
  }
});

test("two gateways, and workers that take every queue between them", () => {
  expect(services.gateway!.deploy!.replicas).toBe(2);
  expect(services.gateway!.command!.slice(-1)).toEqual(["gateway"]);
  const taken = platform
    .filter(([name, { profiles }]) => name.startsWith("worker") && !profiles)
    .flatMap(([, { command }]) => command!.at(-1)!.split(","));
  expect(new Set(taken).size).toBe(taken.length);
  expect(taken).toEqual(expect.arrayContaining([...queueNames]));
});

test("the GPU worker reserves a GPU, and prefers it", () => {
  expect(services["worker-gpu"]).toMatchObject({
    profiles: ["gpu"],
    environment: { ML_INFERENCE_PROVIDERS: "cuda,cpu" },
    deploy: { resources: { reservations: { devices: [{ driver: "nvidia", capabilities: ["gpu"] }] } } },
  });
});

test("PostgreSQL is tuned as the estate's page says, on a version of pgvector without known holes", () => {
  const [, minor, patch, postgres] = /:0\.(\d+)\.(\d+)-pg(\d+)/.exec(services.postgres!.image)!.map(Number);
  expect([minor! * 1000 + patch! >= 8007, [17, 18].includes(postgres!)]).toEqual([true, true]);
  const settings = settingsOf(services.postgres!);
  expect(settings).toMatchObject({
    shared_buffers: "4GB",
    effective_cache_size: "12GB",
    maintenance_work_mem: "1GB",
    checkpoint_completion_target: "0.9",
    wal_buffers: "16MB",
    default_statistics_target: "100",
    max_connections: "400",
    wal_level: "replica",
  });
  const laptop = settingsOf(readCompose(FILE, { ...SECRETS, ...SIZES }).services.postgres!);
  expect(laptop).toMatchObject({
    shared_buffers: "256MB",
    max_connections: "150",
    default_statistics_target: "100",
  });
  expect(bytesOf(services.postgres!.shm_size!)).toBeGreaterThanOrEqual(
    bytesOf(settings.maintenance_work_mem!),
  );
});

function settingsOf({ command }: ComposeService): Record<string, string> {
  return Object.fromEntries(command!.slice(1).map((flag) => flag.replace(/^-c/, "").split(/=(.*)/s)));
}

test("two Redis of different policy, each within its memory", () => {
  for (const variables of [SECRETS, { ...SECRETS, ...SIZES }]) {
    const { services: sized } = readCompose(FILE, variables);
    const queue = sized["redis-queue"]!;
    const cache = sized["redis-cache"]!;
    expect(queue.command!.at(-1)).toMatch(
      /--maxmemory-policy noeviction[\s\S]*--appendonly yes --appendfsync everysec/,
    );
    expect(cache.command!.at(-1)).toMatch(/--maxmemory-policy allkeys-lfu[\s\S]*--appendonly no --save ""/);
    // Rewriting its file, the queue's may need as much again.
    expect(memoryOf(queue)).toBeLessThanOrEqual(limitOf(queue) / 2);
    expect(memoryOf(cache)).toBeLessThanOrEqual(limitOf(cache) * 0.8);
  }
});

const memoryOf = ({ command }: ComposeService) => bytesOf(/--maxmemory (\S+)/.exec(command!.at(-1)!)![1]!);
const limitOf = ({ deploy }: ComposeService) => bytesOf(deploy!.resources.limits.memory);

function bytesOf(size: string): number {
  const [, number, unit] = /^(\d+)([kmg])b?$/i.exec(size)!;
  return Number(number) * 1024 ** ("kmg".indexOf(unit!.toLowerCase()) + 1);
}

test("the laptop's sizes are sizes of this file", () => {
  const used = readFromRoot(FILE);
  for (const name of Object.keys(SIZES)) expect(used).toContain(`\${${name}:-`);
});

test("files that are mounted exist, and so do named volumes", () => {
  const mounts = all.flatMap(([, { volumes: mounted = [] }]) => mounted.map((mount) => mount.split(":")[0]!));
  for (const source of mounts) {
    if (source.startsWith("./")) expect(existsSync(join(import.meta.dirname, "../../..", source))).toBe(true);
    else expect(Object.keys(volumes)).toContain(source);
  }
});

test("Prometheus asks every process of the platform by its service's name", () => {
  const { scrape_configs: scrapes } = parse(readFromRoot("deploy/prometheus/prometheus.yml")) as {
    scrape_configs: { dns_sd_configs?: { names: string[]; port: number }[] }[];
  };
  const asked = scrapes.flatMap(({ dns_sd_configs = [] }) => dns_sd_configs);
  expect(asked.flatMap(({ names }) => names).sort()).toEqual(platform.map(([name]) => name).sort());
  expect(asked.every(({ port }) => port === 4000)).toBe(true);
});

test("the one container on embedded engines still starts with what it is given", () => {
  const embedded = readCompose("deploy/docker/embedded.compose.yml", SECRETS);
  const { gateway } = embedded.services;
  const config = loadConfig({ ...imageEnvironment("deploy/docker/Dockerfile"), ...gateway!.environment });
  expect(config.database.dsn).toBeUndefined();
  expect(gateway!.ports).toEqual(["127.0.0.1:4000:4000"]);
});

test.each(["deploy/docker/Dockerfile", "deploy/docker/Dockerfile.gpu"])(
  "%s is pinned and unprivileged",
  (file) => {
    const text = readFromRoot(file);
    for (const [, image] of text.matchAll(/^ARG \w+_IMAGE=(.*)$/gm)) expect(image).toMatch(/:\d+\.\d+\.\d+/);
    for (const [, base] of text.matchAll(/^FROM (\S+)/gm)) expect(base).toMatch(/^\$\{(NODE|CUDA)_IMAGE\}$/);
    const last = text.slice(text.lastIndexOf("\nFROM"));
    expect(last).toContain("\nUSER 1000:1000\n");
    expect(last).toContain("\nHEALTHCHECK ");
    expect(last).not.toContain("test");
  },
);
