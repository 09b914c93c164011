import { trainForecaster } from "../../../src/modules/training/forecasting/train-forecaster.rules.js";
import { trainInThread } from "../../../src/modules/training/forecasting/train-in-thread.js";
import { InvalidInputError } from "../../../src/shared/errors.js";
import { syntheticCurve, trainingSpec } from "./synthetic-curve.js";

const history = syntheticCurve(400);

test("a thread gives the same artifact as the call, and reports progress up to 1", async () => {
  const spec = trainingSpec({ type: "NELSON_SIEGEL" });
  const fractions: number[] = [];
  const trained = await trainInThread(history, spec, { onProgress: (fraction) => fractions.push(fraction) });
  const expected = trainForecaster(history, spec, () => undefined);
  expect(Buffer.compare(trained.artifact, expected.artifact)).toBe(0);
  expect(trained.backtest).toEqual(expected.backtest);
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
  expect(fractions.at(-1)).toBe(1);
});

test("an abort ends the thread in the middle of its work", async () => {
  const abort = new AbortController();
  const training = trainInThread(
    syntheticCurve(3000),
    trainingSpec({ type: "NELSON_SIEGEL", refitEvery: 1 }),
    {
      onProgress: () => abort.abort(new Error("no longer wanted")),
      signal: abort.signal,
    },
  );
  await expect(training).rejects.toThrow("no longer wanted");
});

test("bad input is refused by name before a thread is started", async () => {
  const training = trainInThread(history, trainingSpec({ horizons: [1, 0] }));
  await expect(training).rejects.toThrow(InvalidInputError);
  await expect(training).rejects.toMatchObject({ field: "input.horizons.1" });
});

test("a thread that dies rejects with the reason", async () => {
  // A function cannot be sent to a thread, so the thread never gets its work.
  const unsendable = { ...history, kind: (() => "YIELD") as unknown as "YIELD" };
  await expect(trainInThread(unsendable, trainingSpec())).rejects.toThrow(/could not be cloned/);
});
