import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Trial, TrialOutcome, Validation } from "../../ports/inference-runtime.js";
import { InvalidInputError } from "../../shared/errors.js";
import { halfToNumber } from "../../shared/half-float.js";
import { readOnnxFile } from "../../shared/onnx-file.js";
import type { TensorValue } from "../../shared/tensor.js";
import { UnservableGraphError } from "../../shared/unservable-graph-error.js";
import { GraphSession } from "./graph-session.js";
import { observeSignature } from "./graph-trial.js";

// Entry of the child process that opens files of unknown origin. Whatever they do to it, the parent goes on.

/** When memory runs out, the kernel takes this process first. */
function volunteerForOutOfMemory(): void {
  try {
    writeFileSync("/proc/self/oom_score_adj", "1000");
  } catch {
    // Not Linux: the parent's own limit has to do.
  }
}

async function validate(path: string, trials: readonly Trial[]): Promise<Validation> {
  try {
    const summary = readOnnxFile(path);
    for (const [name, kind] of summary.otherValues) {
      throw new UnservableGraphError(
        `"${name}" is ${kind}; only dense tensors are served as inputs and outputs`,
      );
    }
    for (const file of summary.externalFiles) assertUploaded(dirname(path), file);
    const session = await GraphSession.load(path, { providers: ["cpu"] });
    const shapeless = session.declared.inputs.find(({ name }) => summary.shapeless.has(name));
    if (shapeless) {
      throw new UnservableGraphError(
        `The input "${shapeless.name}" does not declare how many dimensions it has`,
      );
    }
    if (session.declared.outputs.length === 0) throw new UnservableGraphError("The graph has no outputs");
    const signature = await observeSignature(session);
    const outcomes: TrialOutcome[] = [];
    for (const trial of trials) outcomes.push(await tryRun(session, trial));
    return { ok: true, signature, trials: outcomes };
  } catch (error) {
    if (error instanceof UnservableGraphError) return { ok: false, rejection: error.message };
    throw error;
  }
}

function assertUploaded(folder: string, file: string): void {
  if (basename(file) !== file || file.includes("\\") || file === "..") {
    throw new UnservableGraphError(
      `It wants tensor data from "${file}"; external data must be a plain file name beside the graph`,
    );
  }
  if (!existsSync(join(folder, file))) {
    throw new UnservableGraphError(
      `It needs the external data file "${file}", which was not uploaded with it`,
    );
  }
}

async function tryRun(session: GraphSession, { inputs, outputs }: Trial): Promise<TrialOutcome> {
  try {
    const values = await session.run(inputs, outputs);
    const summaries = Object.entries(values).map(([name, value]) => [
      name,
      { shape: value.shape, finite: isFinite(value) },
    ]);
    return { ok: true, outputs: Object.fromEntries(summaries) as Summaries };
  } catch (error) {
    if (error instanceof InvalidInputError) return { ok: false, refusal: error.message };
    throw error;
  }
}

type Summaries = Extract<TrialOutcome, { ok: true }>["outputs"];

function isFinite({ type, data }: TensorValue): boolean {
  if (type === "FLOAT32" || type === "FLOAT64") return (data as Float32Array).every(Number.isFinite);
  if (type === "FLOAT16") return (data as Uint16Array).every((bits) => Number.isFinite(halfToNumber(bits)));
  return true;
}

volunteerForOutOfMemory();
const [trials] = (await once(process, "message")) as [Trial[]];
const verdict = await validate(process.argv[2]!, trials);
process.send!(verdict, () => process.disconnect());
