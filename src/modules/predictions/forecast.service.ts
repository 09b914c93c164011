import { randomUUID } from "node:crypto";
import type { InferenceRuntime, TensorValue, Tensors } from "../../ports/inference-runtime.js";
import { InvalidInputError, NotFoundError, PreconditionFailedError } from "../../shared/errors.js";
import { CachedAnswers, asJson } from "../caching/index.js";
import type { AnswerStore } from "../caching/index.js";
import type { CurveHistory, CurveRow, CurveService } from "../curves/index.js";
import { assertGranted } from "../identity/index.js";
import { inSpan } from "../../telemetry/tracing.js";
import type { ModelVersionRow, ServedVersion, ServedVersions, VersionSelector } from "../models/index.js";
import { curveFrequency, stepAhead } from "./forecast-calendar.rules.js";
import type { InferenceLog } from "./inference-log.js";
import { WaitingCall } from "./waiting-call.js";
import type { Asker } from "./waiting-call.js";

export interface ForecastRequest {
  curve: string;
  model?: string | null;
  version?: VersionSelector | null;
  asOf?: string | null;
  horizons?: number[] | null;
}

export interface ForecastHorizonValue {
  horizon: number;
  date: string;
  points: { tenor: string; mean: number; lower: number; upper: number }[];
}

/** Also what is kept of a forecast. */
export interface ForecastValue {
  id: string;
  versionId: string;
  curveId: string;
  asOf: string;
  coverage: number;
  horizons: ForecastHorizonValue[];
}

/** A forecast, and the rows that making it has read. */
export interface FreshForecast {
  forecast: ForecastValue;
  curve: CurveRow;
  version: ModelVersionRow;
}

/** What the parameters of a forecaster's version say about its graph. */
interface ForecasterShape {
  horizons: number[];
  tenors: string[];
  coverage: number;
  lookback: number;
}

interface ForecastInput {
  shape: ForecasterShape;
  wanted: number[];
  window: CurveHistory;
}

const DEFAULT_MODEL = "curve_forecaster";

/** Forecasts curves with served versions. */
export class ForecastService {
  private readonly answers: CachedAnswers<ForecastHorizonValue[]>;

  constructor(
    private readonly curves: CurveService,
    private readonly served: ServedVersions,
    private readonly runtime: InferenceRuntime,
    private readonly log: InferenceLog,
    answers: AnswerStore,
  ) {
    this.answers = new CachedAnswers("forecast", answers, asJson(1));
  }

  async forecast(request: ForecastRequest, asker: Asker): Promise<FreshForecast> {
    const began = performance.now();
    assertGranted(asker.caller, "curve:forecast", { model: request.model ?? DEFAULT_MODEL });
    const [curve, served] = await Promise.all([
      this.curves.require(request.curve, "input.curve"),
      this.served.resolve(request.model ?? DEFAULT_MODEL, request.version),
    ]);
    const shape = forecasterShape(served, curve);
    const wanted = wantedHorizons(request.horizons, shape.horizons);
    const window = await this.curves.window(curve, request.asOf ?? null, shape.lookback);
    const asOf = window.dates.at(-1);
    if (asOf === undefined) {
      const when = request.asOf == null ? "" : ` on or before ${request.asOf}`;
      throw new NotFoundError(`input.asOf: curve "${curve.name}" has no snapshot${when}`, {
        field: "input.asOf",
      });
    }
    const value: ForecastValue = {
      id: randomUUID(),
      versionId: served.version.id,
      curveId: curve.id,
      asOf,
      coverage: shape.coverage,
      horizons: await this.horizons(served, { shape, wanted, window }, asker),
    };
    await this.log.append({
      id: value.id,
      kind: "FORECAST",
      versionId: served.version.id,
      caller: asker.caller.subject,
      at: new Date(),
      latencyMs: performance.now() - began,
      inputs: request,
      outputs: value,
    });
    return { forecast: value, curve, version: served.version };
  }

  /**
   * What the platform has trained computes the same from the same window and is asked once; a graph of somebody
   * else's may draw random numbers, and is asked each time.
   */
  private horizons(
    served: ServedVersion,
    input: ForecastInput,
    asker: Asker,
  ): Promise<ForecastHorizonValue[]> {
    const { shape, wanted, window } = input;
    const compute = async (call?: WaitingCall) => {
      const history = toHistoryTensor(window, shape.lookback);
      const { model, version, source } = served;
      const outputs = await inSpan("inference", { model: model.name, version: version.number }, () =>
        this.runtime.run(source, { history }, call),
      );
      return toHorizons(outputs, shape, wanted, window);
    };
    const { id, trainingRunId } = served.version;
    if (trainingRunId === null) return compute(new WaitingCall(asker));
    // Others may wait for the same: nobody's going away ends it.
    return this.answers.get([id, wanted, window.tenors, window.dates, [...window.values]], () => compute());
  }

  /** A forecast of the past; undefined when there is none, or it was too big to keep. */
  async find(id: string): Promise<ForecastValue | undefined> {
    const record = await this.log.find(id, "FORECAST");
    return (record?.outputs as ForecastValue | null | undefined) ?? undefined;
  }
}

function forecasterShape({ model, version, signature }: ServedVersion, curve: CurveRow): ForecasterShape {
  if (model.kind !== "CURVE_FORECASTER") {
    throw InvalidInputError.at("input.model", `"${model.name}" is a ${model.kind}, not a CURVE_FORECASTER`);
  }
  if (version.curveId !== null && version.curveId !== curve.id) {
    throw InvalidInputError.at(
      "input.curve",
      `"${model.name}" version ${version.number} was fitted to another curve`,
    );
  }
  const parameter = (name: string) => version.parameters.find((entry) => entry.name === name)?.value;
  const horizons = (parameter("horizons") ?? "").split(",").map(Number);
  const tenors = parameter("tenors")?.split(",") ?? curve.tenors;
  if (!horizons.every((horizon) => Number.isInteger(horizon) && horizon > 0)) {
    throw new PreconditionFailedError(
      `version ${version.number} needs a parameter "horizons" such as 1,5,21,63`,
    );
  }
  if (tenors.join() !== curve.tenors.join()) {
    throw InvalidInputError.at(
      "input.curve",
      `the version forecasts the tenors ${tenors.join(", ")}, the curve has ${curve.tenors.join(", ")}`,
    );
  }
  const lookback = signature.inputs[0]?.shape[1] ?? Number(parameter("lookback") ?? 64);
  return { horizons, tenors, lookback, coverage: Number(parameter("coverage") ?? 0.9) };
}

function wantedHorizons(requested: number[] | null | undefined, trained: number[]): number[] {
  if (requested == null) return trained;
  if (requested.length === 0) throw InvalidInputError.at("input.horizons", "needs at least one horizon");
  requested.forEach((horizon, i) => {
    if (!trained.includes(horizon)) {
      throw InvalidInputError.at(
        `input.horizons.${i}`,
        `${horizon} is not one of the version's horizons ${trained.join(", ")}`,
      );
    }
    if (requested.indexOf(horizon) !== i)
      throw InvalidInputError.at(`input.horizons.${i}`, `${horizon} is there twice`);
  });
  return requested;
}

/** [1, lookback, tenors], oldest first, NaN before the first date and where nothing was quoted. */
function toHistoryTensor({ dates, tenors, values }: CurveHistory, lookback: number): TensorValue {
  const data = new Float32Array(lookback * tenors.length).fill(Number.NaN);
  data.set(values, (lookback - dates.length) * tenors.length);
  return { type: "FLOAT32", shape: [1, lookback, tenors.length], data };
}

function toHorizons(
  outputs: Tensors,
  shape: ForecasterShape,
  wanted: readonly number[],
  window: CurveHistory,
): ForecastHorizonValue[] {
  const [mean, lower, upper] = ["mean", "lower", "upper"].map((name) => {
    const output = outputs[name];
    const [, horizons, tenors] = output?.shape ?? [];
    if (horizons !== shape.horizons.length || tenors !== shape.tenors.length) {
      throw new PreconditionFailedError(
        `the version's output ${name} is [${output?.shape.join(", ")}], its parameters say ` +
          `[1, ${shape.horizons.length}, ${shape.tenors.length}]`,
      );
    }
    return output!.data as Float32Array;
  }) as [Float32Array, Float32Array, Float32Array];
  const frequency = curveFrequency(window.dates);
  const asOf = window.dates.at(-1)!;
  const forecast = wanted.map((horizon) => {
    const row = shape.horizons.indexOf(horizon) * shape.tenors.length;
    // A tenor without a quote in the whole window has no forecast, and no point.
    const points = shape.tenors.flatMap((tenor, i) => {
      const point = { tenor, mean: mean[row + i]!, lower: lower[row + i]!, upper: upper[row + i]! };
      return Number.isFinite(point.mean + point.lower + point.upper) ? [point] : [];
    });
    return { horizon, date: stepAhead(asOf, horizon, frequency), points };
  });
  if (forecast.every(({ points }) => points.length === 0)) {
    throw new PreconditionFailedError(
      `too little was quoted in the ${window.dates.length} dates up to ${asOf} to forecast any of ${shape.tenors.join(", ")}`,
    );
  }
  return forecast;
}
