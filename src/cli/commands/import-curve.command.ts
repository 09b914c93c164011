import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { Command } from "commander";
import { InvalidInputError } from "../../shared/errors.js";
import { parseCurveCsv } from "../../shared/curve-csv.js";
import type { CurveCsv } from "../../shared/curve-csv.js";
import type { CliCommand, CliContext } from "../command.js";
import { CommandFailure, UsageError } from "../command-failure.js";
import type { CurveKind } from "../graph-operations.js";
import { oneOf } from "../option-parsers.js";

/** Points in one request: about 150 KB of JSON, below every body limit. */
const BATCH_POINTS = 4000;

export interface ImportCurveOptions {
  name: string;
  unit?: string;
  kind?: CurveKind;
}

export const importCurve: CliCommand<ImportCurveOptions> = {
  usage: "import-curve <file>",
  summary: "Record the history of a curve from a CSV file (also .gz), defining the curve when it is new.",
  examples: [
    "254carbon import-curve daily-treasury-rates.csv --name ust-par-yield",
    '254carbon import-curve settlements-CL.csv.gz --name wti --unit "USD/bbl"',
  ],
  configure(command: Command) {
    command
      .requiredOption("--name <curve>", "the curve")
      .option("--unit <unit>", "unit of a new curve (default: percent for yields)")
      .option(
        "--kind <kind>",
        "yield or forward; refused when the file holds the other",
        oneOf(["YIELD", "FORWARD"]),
      )
      .addHelpText(
        "after",
        "\nLayouts, detected by the header: Date,1 Mo,...,30 Yr (US Treasury, MM/DD/YYYY or M/D/YY);" +
          "\ndate,CL01,CL02,... (contract positions); date,P1M,P10Y (ISO 8601 tenors). A blank cell: not quoted.",
      );
  },
  async run(context, { name, unit, kind }, [path]) {
    const csv = parse(path!, await readCurveFile(path!));
    if (kind && kind !== csv.kind)
      throw new UsageError(`--kind is ${kind}, but ${path} holds a ${csv.kind} curve`);
    const defined = await defineWhenAbsent(context, name, csv, unit);
    const counts = await record(context, name, csv);
    const first = csv.snapshots[0]!.date;
    const last = csv.snapshots.at(-1)!.date;
    return {
      data: { curve: name, kind: csv.kind, tenors: csv.tenors, defined, first, last, ...counts },
      text:
        `${name}: ${csv.snapshots.length} dates from ${first} to ${last}, ${csv.tenors.length} tenors: ` +
        `${counts.created} created, ${counts.replaced} revised, ${counts.unchanged} unchanged`,
    };
  },
};

async function readCurveFile(path: string): Promise<string> {
  const content = await readFile(path);
  const zipped = content[0] === 0x1f && content[1] === 0x8b;
  return (zipped ? await promisify(gunzip)(content) : content).toString("utf8");
}

function parse(path: string, text: string): CurveCsv {
  try {
    return parseCurveCsv(text);
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    throw new CommandFailure(error.code, `nothing was imported from ${path}\n${error.message}`, error.field);
  }
}

/** @returns whether the curve is new */
async function defineWhenAbsent(
  { graph }: CliContext,
  name: string,
  { kind, tenors }: CurveCsv,
  unit: string | undefined,
): Promise<boolean> {
  const curve = await findCurve({ graph }, name);
  if (!curve) {
    const unitOfNew = unit ?? (kind === "YIELD" ? "percent" : undefined);
    if (!unitOfNew)
      throw new UsageError(`${name} is a new FORWARD curve: give its unit, e.g. --unit USD/bbl`);
    await graph.execute("define-curve", { input: { name, kind, unit: unitOfNew, tenors } });
    return true;
  }
  if (curve.kind !== kind)
    throw new UsageError(`${name} is a ${curve.kind} curve, but the file holds ${kind}`);
  if (unit !== undefined && unit !== curve.unit) {
    throw new UsageError(`${name} is in ${curve.unit}, not in ${unit}; a curve keeps its unit`);
  }
  const missing = tenors.filter((tenor) => !curve.tenors.includes(tenor));
  if (missing.length > 0)
    throw new UsageError(`${name} has no tenor ${missing.join(", ")}; import into a new curve`);
  return false;
}

async function findCurve({ graph }: Pick<CliContext, "graph">, name: string) {
  try {
    return (await graph.execute("curve", { name })).curve;
  } catch (error) {
    if (error instanceof CommandFailure && error.code === "NOT_FOUND") return null;
    throw error;
  }
}

async function record(
  { graph, terminal }: CliContext,
  curve: string,
  { snapshots, tenors }: CurveCsv,
): Promise<{ created: number; replaced: number; unchanged: number }> {
  const size = Math.max(1, Math.floor(BATCH_POINTS / tenors.length));
  const total = { created: 0, replaced: 0, unchanged: 0 };
  const progress = terminal.progress(`importing ${curve}`);
  try {
    for (let start = 0; start < snapshots.length; start += size) {
      const batch = snapshots.slice(start, start + size);
      const { recordCurve } = await graph.execute("record-curve", { input: { curve, snapshots: batch } });
      total.created += recordCurve.created;
      total.replaced += recordCurve.replaced;
      total.unchanged += recordCurve.unchanged;
      progress.update(Math.min(1, (start + size) / snapshots.length), `up to ${batch.at(-1)!.date}`);
    }
  } finally {
    progress.stop();
  }
  return total;
}
