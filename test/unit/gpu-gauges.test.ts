import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { collectGpus } from "../../src/telemetry/gpu-gauges.js";
import { gpuMemoryTotal, gpuMemoryUsed, gpuUtilization } from "../../src/telemetry/metrics.js";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "254carbon-gpu-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** A driver's program that knows the question, and answers as it does of these cards. */
async function installDriver(lines: readonly string[]): Promise<string> {
  const question = "--query-gpu=index,memory.used,memory.total,utilization.gpu --format=csv,noheader,nounits";
  const script = `#!/bin/sh\n[ "$*" = "${question}" ] || exit 2\ncat << 'CARDS'\n${lines.join("\n")}\nCARDS\n`;
  const program = join(folder, "nvidia-smi");
  await writeFile(program, script);
  await chmod(program, 0o755);
  return program;
}

const valuesOf = async (gauge: typeof gpuMemoryUsed) =>
  Object.fromEntries((await gauge.get()).values.map(({ labels, value }) => [labels.gpu, value]));

test("memory and work of every card are measured, and what a card does not tell is left out", async () => {
  await collectGpus(await installDriver(["0, 40960, 81920, 75", "1, 1024, 81920, [N/A]"]));
  expect(await valuesOf(gpuMemoryUsed)).toEqual({ 0: 40 * 2 ** 30, 1: 2 ** 30 });
  expect(await valuesOf(gpuMemoryTotal)).toEqual({ 0: 80 * 2 ** 30, 1: 80 * 2 ** 30 });
  expect(await valuesOf(gpuUtilization)).toEqual({ 0: 0.75 });
});

test("where there is no driver, nothing is claimed", async () => {
  await expect(collectGpus(join(folder, "absent"))).rejects.toThrow("ENOENT");
});
