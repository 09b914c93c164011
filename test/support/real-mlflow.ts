import { spawn } from "node:child_process";
import { once } from "node:events";
import { freePort } from "./free-port.js";
import { LOGGED } from "./mlflow-estate.js";
import type { LoggedVersion, RegisteredModel } from "./mlflow-estate.js";
import { until } from "./until.js";

const START_LIMIT_MS = 180_000;

/** MLflow's own server, with its store of artifacts, filled through its REST API. */
export interface RealMlflow {
  url: string;
  close(): Promise<void>;
}

/** @param python one that has mlflow */
export async function startMlflow(
  python: string,
  folder: string,
  models: readonly RegisteredModel[],
): Promise<RealMlflow> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const args = ["--host", "127.0.0.1", "--port", String(port), "--workers", "1"];
  const stores = ["--backend-store-uri", "sqlite:///mlflow.db", "--artifacts-destination", "./mlartifacts"];
  const env = { ...process.env, MLFLOW_DISABLE_TELEMETRY: "true" };
  // A group of its own: the server's workers end with it.
  const server = spawn(python, ["-m", "mlflow", "server", ...args, ...stores], {
    ...{ cwd: folder, env, stdio: "ignore", detached: true },
  });
  const ended = once(server, "exit");
  const close = async () => {
    process.kill(-server.pid!, "SIGKILL");
    await ended;
  };
  try {
    await until(
      async () => (await fetch(`${url}/health`).catch(() => undefined))?.ok ?? false,
      START_LIMIT_MS,
    );
    for (const model of models) await register(`${url}/api/2.0`, model);
  } catch (error) {
    await close();
    throw error;
  }
  return { url, close };
}

async function register(
  api: string,
  { name, description, tags, aliases, versions }: RegisteredModel,
): Promise<void> {
  await post(`${api}/mlflow/registered-models/create`, { name, description, tags: toKeyValues(tags) });
  for (const version of versions) await log(api, version);
  for (const [alias, version] of Object.entries(aliases)) {
    await post(`${api}/mlflow/registered-models/alias`, { name, alias, version: String(version) });
  }
}

async function log(api: string, { model: name, number, stage, tags, files }: LoggedVersion): Promise<void> {
  const { run } = await post<{ run: { info: { run_id: string; artifact_uri: string } } }>(
    `${api}/mlflow/runs/create`,
    { experiment_id: "0", start_time: 1 },
  );
  const { run_id: runId, artifact_uri: root } = run.info;
  const metrics = Object.entries(LOGGED.metrics).flatMap(([key, points]) =>
    points.map((value, step) => ({
      key,
      value: Number.isNaN(value) ? "NaN" : value,
      timestamp: step + 1,
      step,
    })),
  );
  const logged = { metrics, params: toKeyValues(LOGGED.params), tags: toKeyValues(LOGGED.tags) };
  await post(`${api}/mlflow/runs/log-batch`, { run_id: runId, ...logged });
  for (const [path, content] of Object.entries(files)) {
    const address = `${root.replace("mlflow-artifacts:/", "")}/model/${path}`;
    const put = await fetch(`${api}/mlflow-artifacts/artifacts/${address}`, {
      method: "PUT",
      body: Buffer.from(content),
    });
    if (!put.ok) throw new Error(`MLflow answered HTTP ${put.status} for ${path}: ${await put.text()}`);
  }
  const version = { name, source: `${root}/model`, run_id: runId, tags: toKeyValues(tags) };
  await post(`${api}/mlflow/model-versions/create`, version);
  if (stage !== "None")
    await post(`${api}/mlflow/model-versions/transition-stage`, { name, version: String(number), stage });
}

const toKeyValues = (entries: Record<string, string>) =>
  Object.entries(entries).map(([key, value]) => ({ key, value }));

async function post<T>(url: string, body: object): Promise<T> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${url} answered HTTP ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}
