import { eventually } from "./platform.js";
import type { Answer, Platform } from "./platform.js";

export interface SnapshotInput {
  date: string;
  points: { tenor: string; value: number | null }[];
}

export interface CurveDates {
  /** ISO date of the first snapshot. */
  from?: string;
  step?: "weekday" | "month" | { days: number };
}

export const TENORS = ["P1Y", "P5Y", "P10Y"];

/** `count` dates that follow each other. */
export function datesOf(count: number, { from = "2023-01-02", step = "weekday" }: CurveDates = {}): string[] {
  const dates: string[] = [];
  for (let i = 0; dates.length < count; i++) {
    const date = new Date(`${from}T00:00:00Z`);
    if (step === "month") date.setUTCMonth(date.getUTCMonth() + i);
    else date.setUTCDate(date.getUTCDate() + (step === "weekday" ? i : i * step.days));
    if (step === "weekday" && date.getUTCDay() % 6 === 0) continue;
    dates.push(date.toISOString().slice(0, 10));
  }
  return dates;
}

/** Three yields that swing slowly, with some noise that is the same each time. */
export function snapshotsOf(dates: readonly string[], tenors: readonly string[] = TENORS): SnapshotInput[] {
  return dates.map((date, day) => ({
    date,
    points: tenors.map((tenor, i) => ({
      tenor,
      value: Number((3 + i / 2 + Math.sin(day / 40 + i / 3) + 0.05 * Math.sin(day * (1.7 + i))).toFixed(3)),
    })),
  }));
}

export function defineCurve(
  platform: Platform,
  input: Record<string, unknown>,
): Promise<Answer<{ defineCurve: { curve: { id: string; name: string } } }>> {
  return platform.ask(
    "mutation Define($input: DefineCurveInput!) { defineCurve(input: $input) { curve { id name } } }",
    { input: { kind: "YIELD", unit: "percent", tenors: TENORS, ...input } },
  );
}

export interface RecordPayload {
  recordCurve: { created: number; replaced: number; unchanged: number };
}

export function record(platform: Platform, input: Record<string, unknown>): Promise<Answer<RecordPayload>> {
  return platform.ask(
    "mutation Record($input: RecordCurveInput!) { recordCurve(input: $input) { created replaced unchanged } }",
    { input },
  );
}

/** A curve with a history that a forecaster can learn from. */
export async function curveWithHistory(
  platform: Platform,
  name: string,
  snapshots: SnapshotInput[],
): Promise<void> {
  const tenors = snapshots[0]!.points.map(({ tenor }) => tenor);
  for (const answer of [
    await defineCurve(platform, { name, tenors }),
    await record(platform, { curve: name, snapshots }),
  ]) {
    if (answer.errors) throw new Error(JSON.stringify(answer.errors));
  }
}

export interface Started {
  startTraining: { run: { id: string; status: string }; cursor: string };
}

export function startTraining(platform: Platform, input: Record<string, unknown>): Promise<Answer<Started>> {
  return platform.ask(
    "mutation Start($input: StartTrainingInput!) { startTraining(input: $input) { run { id status } cursor } }",
    { input: { type: "RANDOM_WALK", horizons: [1], ...input } },
  );
}

export interface Run {
  status: string;
  progress: number;
  error: string | null;
  dataSha256: string | null;
  startedAt: string | null;
  finishedAt: string | null;
  metrics: { name: string; value: number }[];
  parameters: { name: string; value: string }[];
  backtest: {
    origins: number;
    scores: {
      horizon: number;
      tenor: string;
      rmse: number;
      relativeToRandomWalk: number | null;
      coverage: number;
    }[];
  } | null;
  version: { number: number; status: string } | null;
}

export async function runOf(platform: Platform, id: string): Promise<Run> {
  const { trainingRun } = await platform.query<{ trainingRun: Run }>(
    `query Run($id: ID!) { trainingRun(id: $id) {
      status progress error dataSha256 startedAt finishedAt
      metrics { name value } parameters { name value }
      backtest { origins scores { horizon tenor rmse relativeToRandomWalk coverage } }
      version { number status }
    } }`,
    { id },
  );
  return trainingRun;
}

/** The run once it has ended. */
export function finished(platform: Platform, id: string): Promise<Run> {
  return eventually(
    () => runOf(platform, id),
    ({ finishedAt }) => finishedAt !== null,
  );
}

/** Trains and waits for the version. */
export async function trained(
  platform: Platform,
  input: Record<string, unknown>,
): Promise<Run & { id: string }> {
  const started = await startTraining(platform, input);
  if (!started.data) throw new Error(JSON.stringify(started.errors));
  const { id } = started.data.startTraining.run;
  return { id, ...(await finished(platform, id)) };
}
