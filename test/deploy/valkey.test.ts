import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeAuthority } from "../support/certificates.js";
import { freePort } from "../support/free-port.js";
import { redisIsInstalled } from "../support/redis-server.js";
import { runProgram } from "../support/run-program.js";
import { startServerProcess } from "../support/server-process.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { renderOverlay } from "./manifests.js";
import { at, environmentOf, workloadsOf } from "./workloads.js";

const PASSWORD = "5d41402abc4b2a76b9719d911017c592";

/** Valkey's programs and options of TLS are those of the Redis that this machine has. */
const there = redisIsInstalled ? test : test.skip;

there.each([
  ["redis-queue", "noeviction", "yes"],
  ["redis-cache", "allkeys-lfu", "no"],
])("%s starts as its pod starts it, and is alive to its own probe", async (name, policy, appendOnly) => {
  const { path: folder } = await temporaryFolder();
  const port = await freePort();
  await Promise.all(["tls", "redis", "data", "bin"].map((each) => mkdir(join(folder, each))));
  const authority = await makeAuthority(folder, "authority");
  const { cert, key } = await authority.issue("server", name, `DNS:${name},DNS:localhost`);
  await copyFile(cert, join(folder, "tls/tls.crt"));
  await copyFile(key, join(folder, "tls/tls.key"));
  await copyFile(authority.ca, join(folder, "tls/ca.crt"));
  await writeFile(join(folder, "redis/password"), PASSWORD);

  const workload = workloadsOf(await renderOverlay("staging")).find((each) => each.name === name)!;
  const [container] = workload.spec.containers;
  /** The same, in folders and at a port of ours. */
  const here = (script: string) =>
    script
      .replaceAll("/run/tls", join(folder, "tls"))
      .replaceAll("/run/secrets/redis", join(folder, "redis"))
      .replace("--dir /data", `--dir ${join(folder, "data")}`)
      .replace("--tls-port 6379", `--tls-port ${port}`)
      .replaceAll("valkey-", "redis-");
  const probe = here(at<string[]>(container, "livenessProbe.exec.command").at(-1)!);
  const environment = { PATH: process.env.PATH!, ...environmentOf(workload) };
  const run = (script: string) =>
    runProgram("sh", ["-c", script.replaceAll("redis-cli", `redis-cli -p ${port}`)], { env: environment });
  const server = await startServerProcess("sh", ["-ec", here(container!.args![0]!)], {
    ...{ env: environment, folder },
    answers: () => run(probe),
  });
  try {
    const ask = probe.replace(/ping .*/, "");
    expect(await run(`${ask} config get requirepass`)).toContain(PASSWORD);
    expect(await run(`${ask} config get maxmemory-policy`)).toContain(policy);
    expect(await run(`${ask} config get appendonly`)).toContain(`appendonly\n${appendOnly}`);
    expect(await run(`${ask} config get maxmemory`)).toContain(String(128 * 1024 * 1024));
    // Neither without its password, nor without a certificate, nor in the clear.
    await expect(
      run(ask.replace(/^REDISCLI_AUTH=\S+ \S+ /, "").concat(" ping | grep PONG")),
    ).rejects.toThrow();
    await expect(run(ask.replace(/--cert \S+ --key \S+/, "").concat(" ping | grep PONG"))).rejects.toThrow();
    await expect(run(ask.replace(/--tls .*/, "").concat(" ping | grep PONG"))).rejects.toThrow();
  } finally {
    await server.end("SIGTERM");
  }
});
