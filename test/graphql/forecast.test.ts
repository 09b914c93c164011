import { askForecast, forecastOf } from "../support/forecasts.js";
import type { Forecast } from "../support/forecasts.js";
import {
  curveWithHistory,
  datesOf,
  defineCurve,
  snapshotsOf,
  TENORS,
  trained,
} from "../support/market-curves.js";
import { linearModel } from "../support/onnx-models.js";
import { refusalOf, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { promote, uploadVersion } from "../support/registry.js";

let platform: Platform;
const DATES = datesOf(160);

beforeAll(async () => {
  platform = await startPlatform();
  await curveWithHistory(platform, "yields", snapshotsOf(DATES));
  await curveWithHistory(platform, "short", snapshotsOf(datesOf(30)));
  await uploadVersion(platform, "tensor", linearModel());
});

afterAll(() => platform.remove());

const ask = (input: Record<string, unknown>) => askForecast(platform, input);
const forecast = (input: Record<string, unknown>): Promise<Forecast> => forecastOf(platform, input);

describe("a forecast", () => {
  beforeAll(async () => {
    await trained(platform, { model: "walk", curve: "yields", horizons: [1, 5, 10] });
    await promote(platform, { model: "walk", number: 1 });
  });

  test("is made for the horizons asked for, in weekdays", async () => {
    const { horizons } = await forecast({
      curve: "yields",
      model: "walk",
      horizons: [10, 1],
      asOf: "2023-03-10",
    });
    // 10 March 2023 is a Friday.
    expect(horizons.map(({ horizon, date }) => [horizon, date])).toEqual([
      [10, "2023-03-24"],
      [1, "2023-03-13"],
    ]);
  });

  test("starts at the last snapshot on or before the day", async () => {
    const { asOf } = await forecast({ curve: "yields", model: "walk", asOf: "2023-03-12" });
    expect(asOf).toBe("2023-03-10");
    expect((await forecast({ curve: "yields", model: "walk", asOf: "2099-01-01" })).asOf).toBe(DATES.at(-1));
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["a horizon that was not trained", { horizons: [1, 2] }, "INVALID_INPUT input.horizons.1"],
    ["a horizon twice", { horizons: [1, 1] }, "INVALID_INPUT input.horizons.1"],
    ["no horizons", { horizons: [] }, "INVALID_INPUT input.horizons"],
    ["an unknown curve", { curve: "absent" }, "NOT_FOUND input.curve"],
    ["another curve", { curve: "short" }, "INVALID_INPUT input.curve"],
    ["an unknown model", { model: "absent" }, "NOT_FOUND input.model"],
    ["an unknown version", { version: { number: 7 } }, "NOT_FOUND input.version"],
    ["a model of tensors", { model: "tensor", version: { number: 1 } }, "INVALID_INPUT input.model"],
    ["a day before the history", { asOf: "2022-12-31" }, "NOT_FOUND input.asOf"],
    ["a day that does not exist", { asOf: "2023-02-29" }, "INVALID_INPUT input.asOf"],
  ])("of %s is refused", async (_what, input, refusal) => {
    expect(refusalOf(await ask({ curve: "yields", model: "walk", ...input }))).toBe(refusal);
  });

  test.each([
    ["monthly", "month", "2020-01-31", "2033-04-30", ["2033-05-31", "2033-06-30"]],
    ["weekly", { days: 7 }, "2020-01-01", "2023-01-18", ["2023-01-25", "2023-02-01"]],
  ] as const)("of a %s curve counts in its own steps", async (name, step, from, origin, expected) => {
    const dates =
      step === "month"
        ? Array.from({ length: 160 }, (_, i) => new Date(Date.UTC(2020, i + 1, 0)).toISOString().slice(0, 10))
        : datesOf(160, { from, step });
    await curveWithHistory(platform, name, snapshotsOf(dates));
    await trained(platform, { model: name, curve: name, horizons: [1, 2] });
    const { asOf, horizons } = await forecast({ curve: name, model: name, version: { number: 1 } });
    expect([asOf, ...horizons.map(({ date }) => date)]).toEqual([origin, ...expected]);
  });

  test("carries blank quotes and leaves out tenors that were never quoted", async () => {
    const history = snapshotsOf(DATES).map(({ date, points }, day) => ({
      date,
      points: points.map(({ tenor, value }, i) => ({
        tenor,
        value: i === 2 || (day + i) % 9 === 0 ? null : value,
      })),
    }));
    await curveWithHistory(platform, "gaps", history);
    const run = await trained(platform, { model: "gaps", curve: "gaps" });
    expect(run.status).toBe("SUCCEEDED");
    const { horizons } = await forecast({ curve: "gaps", model: "gaps", version: { number: 1 } });
    const lastQuoted = (i: number) =>
      history.map(({ points }) => points[i]!.value).findLast((v) => v !== null)!;
    expect(horizons[0]!.points).toMatchObject(
      [0, 1].map((i) => ({ tenor: TENORS[i], mean: expect.closeTo(lastQuoted(i), 3) as unknown })),
    );
  });

  test("of a FORWARD curve takes negative prices", async () => {
    await defineCurve(platform, {
      name: "power",
      kind: "FORWARD",
      unit: "USD/MWh",
      tenors: ["M1", "M2", "M3"],
    });
    const snapshots = snapshotsOf(DATES, ["M1", "M2", "M3"]).map(({ date, points }) => ({
      date,
      points: points.map(({ tenor, value }) => ({ tenor, value: 50 * (value! - 4) })),
    }));
    await platform.query("mutation R($input: RecordCurveInput!) { recordCurve(input: $input) { created } }", {
      input: { curve: "power", snapshots },
    });
    const run = await trained(platform, { model: "power", curve: "power", type: "FACTOR_VAR" });
    expect(run).toMatchObject({ status: "SUCCEEDED", error: null });
    const { horizons } = await forecast({ curve: "power", model: "power", version: { number: 1 } });
    expect(horizons[0]!.points).toHaveLength(3);
  });
});
