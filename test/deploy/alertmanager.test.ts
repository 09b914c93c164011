import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { alerts } from "../support/alert-rules.js";
import { readFromRoot } from "../support/compose-file.js";
import { freePort } from "../support/free-port.js";
import { eventually } from "../support/platform.js";
import { programPath } from "../support/program-path.js";
import { startServerProcess } from "../support/server-process.js";
import type { ServerProcess } from "../support/server-process.js";

const CONFIGURATION = "deploy/alertmanager/alertmanager.yml";
const ROOT = join(import.meta.dirname, "../../..");
const amtool = programPath("amtool");
const alertmanager = programPath("prometheus-alertmanager") ?? programPath("alertmanager");
const withAlertmanager = amtool === undefined || alertmanager === undefined ? test.skip : test;

let server: ServerProcess | undefined;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "254carbon-alertmanager-"));
});
afterAll(async () => {
  await server?.end("SIGTERM");
  await rm(folder, { recursive: true, force: true });
});

/** @returns what it wrote, once it has succeeded */
function ask(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(amtool!, args, { cwd: ROOT, encoding: "utf8" });
  expect([status, status === 0 ? "" : stdout + stderr]).toEqual([0, ""]);
  return stdout.trim();
}

withAlertmanager("it takes its configuration, and each severity goes its way", () => {
  ask("check-config", CONFIGURATION);
  for (const severity of ["page", "ticket"]) {
    expect(ask("config", "routes", "test", `--config.file=${CONFIGURATION}`, `severity=${severity}`)).toBe(
      severity,
    );
  }
});

test("no address is in its configuration", () => {
  expect(readFromRoot(CONFIGURATION)).not.toMatch(
    /^\s*(routing_key|service_key|api_url|url|auth_password):/m,
  );
});

/** As Prometheus sends it. */
function firing(name: string, labels: Record<string, string> = {}): { labels: Record<string, string> } {
  return { labels: { alertname: name, ...alerts.find(({ alert }) => alert === name)!.labels, ...labels } };
}

withAlertmanager("who is told the worse is not told the lesser, too", async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const args = [
    `--config.file=${join(ROOT, CONFIGURATION)}`,
    `--storage.path=${folder}`,
    `--web.listen-address=${new URL(url).host}`,
    "--cluster.listen-address=",
  ];
  server = await startServerProcess(alertmanager!, args, {
    ...{ folder, env: { PATH: process.env.PATH } },
    answers: async () => {
      if (!(await fetch(`${url}/-/ready`)).ok) throw new Error("it is not ready");
    },
  });
  const gateway = { job: "gateway" };
  const sent = [
    firing("LatencyP95Critical", gateway),
    firing("LatencyP95High", gateway),
    firing("ErrorRateHigh", gateway),
    firing("NoGateway", gateway),
    firing("ProcessDown", { ...gateway, instance: "gateway-1" }),
    firing("ProcessDown", { job: "worker", instance: "worker-1" }),
    firing("BackupOverdue"),
    firing("BackupMissing"),
    firing("ApiKeysEnding"),
  ];
  const silent = async () => {
    const told = (await (await fetch(`${url}/api/v2/alerts`)).json()) as {
      labels: Record<string, string>;
      status: { inhibitedBy: string[] };
    }[];
    const inhibited = told.filter(({ status }) => status.inhibitedBy.length > 0);
    return inhibited.map(({ labels }) => `${labels.alertname} ${labels.job ?? ""}`.trim()).sort();
  };
  const send = (body: object[]) =>
    fetch(`${url}/api/v2/alerts`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  await send(sent);
  const lesser = ["BackupOverdue", "LatencyP95High gateway", "ProcessDown gateway"];
  expect(await eventually(silent, (names) => names.length >= lesser.length, 10_000)).toEqual(lesser);
  await send([firing("DependencyDown", { check: "database" })]);
  const explained = ["BackupOverdue", "ErrorRateHigh gateway", "LatencyP95Critical gateway"];
  expect(await eventually(silent, (names) => names.length > lesser.length, 10_000)).toEqual([
    ...explained,
    "LatencyP95High gateway",
    "ProcessDown gateway",
  ]);
});
