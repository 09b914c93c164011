import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import type { CliCommand } from "../command.js";
import { UsageError } from "../command-failure.js";
import type { Tensor, TensorInput, VersionSelector } from "../graph-operations.js";
import { keyValue, list, oneOf, version } from "../option-parsers.js";

/** Characters of an output that a terminal shows; --json shows all. */
const SHOWN_CHARACTERS = 2000;

export interface PredictOptions {
  model: string;
  version?: VersionSelector;
  input: Record<string, string>;
  shape?: Record<string, string>;
  output?: string[];
  encoding?: "VALUES" | "BASE64";
}

export const predict: CliCommand<PredictOptions> = {
  usage: "predict",
  summary: "Run a model on tensors.",
  examples: [
    "254carbon predict --model power_price --input 'x=[[0.5, 1.5, 2.5]]'",
    "254carbon predict --model power_price --input x=@features.json --version 3 --json",
    "254carbon predict --model power_price --input x=@features.bin --shape x=128,40 --encoding base64",
  ],
  configure(command: Command) {
    command
      .requiredOption("--model <name>", "the model")
      .requiredOption(
        "--input <name=value>",
        "a tensor: JSON, @file.json, or @file.bin of little-endian bytes; repeatable. " +
          '64-bit integers beyond 2^53, NaN and infinities as strings ("NaN")',
        keyValue,
      )
      .option("--version <version>", "a number, or staging (default: production)", version)
      .option("--shape <name=sizes>", "shape of an input, e.g. x=2,3; repeatable", keyValue)
      .option("--output <name>", "an output to return (default: all); repeatable", list)
      .option("--encoding <encoding>", "values or base64 for the outputs", oneOf(["VALUES", "BASE64"]));
  },
  async run({ graph }, { model, version, input, shape = {}, output, encoding }) {
    const unknown = Object.keys(shape).find((name) => !(name in input));
    if (unknown !== undefined) throw new UsageError(`--shape names ${unknown}, but no --input does`);
    const inputs = await Promise.all(
      Object.entries(input).map(([name, value]) => readTensor(name, value, shape[name])),
    );
    const { predict: prediction } = await graph.execute("predict", {
      input: { model, version, inputs, outputs: output, encoding },
    });
    const heading = `${model} version ${prediction.version.number}, prediction ${prediction.id}`;
    return { data: prediction, text: [heading, ...prediction.outputs.map(tensorText)].join("\n") };
  },
};

async function readTensor(name: string, value: string, sizes: string | undefined): Promise<TensorInput> {
  const shape = sizes === undefined ? undefined : parseShape(name, sizes);
  if (/^@.*\.bin$/.test(value)) {
    return { name, shape, base64: (await readFile(value.slice(1))).toString("base64") };
  }
  const text = value.startsWith("@") ? await readFile(value.slice(1), "utf8") : value;
  try {
    return { name, shape, values: JSON.parse(text) as unknown };
  } catch (error) {
    throw new UsageError(`--input ${name}: ${(error as Error).message}`);
  }
}

function parseShape(name: string, sizes: string): number[] {
  if (!/^(\d+(,\d+)*)?$/.test(sizes)) throw new UsageError(`--shape ${name}: "${sizes}" is not like 2,3`);
  return sizes === "" ? [] : sizes.split(",").map(Number);
}

function tensorText({ name, type, shape, values, base64 }: Tensor): string {
  const content = base64 ?? JSON.stringify(values);
  const shown = content.length > SHOWN_CHARACTERS ? `${content.slice(0, SHOWN_CHARACTERS)} ...` : content;
  return `${name}: ${type} [${shape.join(", ")}]\n  ${shown}`;
}
