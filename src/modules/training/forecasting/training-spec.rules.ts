import { isCalendarDate } from "../../../shared/calendar-date.js";
import { InvalidInputError } from "../../../shared/errors.js";
import { scoresNeeded } from "./conformal-intervals.rules.js";
import { forecasterOptions } from "./forecaster-options.rules.js";
import { FORECASTER_TYPES } from "./forecaster.types.js";
import type { CurveHistory, TrainingSpec } from "./forecaster.types.js";
import { tenorMonths } from "../../../shared/tenor.js";

/** Outcomes that a fit must have seen, for each horizon, before it may forecast. */
const LEAST_FIT = 40;
/** Share of the history before the backtest that only fits; from then on forecasts are made out of sample. */
const FIT_ONLY = 0.2;
const LONGEST_HORIZON = 520;
const MOST_HORIZONS = 32;
const MOST_TENORS = 200;

/** A training's course through the history, as indices of dates. */
export interface TrainingWindow {
  /** First and last outcome that it is fitted to. */
  from: number;
  to: number;
  /** First outcome that is scored. */
  backtestFrom: number;
  /** First origin of a forecast out of sample. */
  firstOrigin: number;
}

/**
 * Whether this training can be done on this history.
 * @throws {InvalidInputError} naming the field and the rule, with the numbers where there is too little data
 */
export function checkTrainingSpec(spec: TrainingSpec, history: CurveHistory): TrainingWindow {
  checkHistory(history);
  if (!FORECASTER_TYPES.includes(spec.type)) {
    throw InvalidInputError.at("input.type", `must be one of ${FORECASTER_TYPES.join(", ")}`);
  }
  checkHorizons(spec.horizons);
  checkNumber("input.refitEvery", spec.refitEvery, 1, 100_000);
  checkNumber("input.seed", spec.seed, -(2 ** 31), 2 ** 31 - 1);
  if (!(spec.coverage >= 0.5 && spec.coverage <= 0.99)) {
    throw InvalidInputError.at("input.coverage", "must be a share from 0.5 to 0.99");
  }
  forecasterOptions(spec.type, spec.options);
  if (spec.type === "NELSON_SIEGEL" && new Set(history.tenors.map((tenor) => tenorMonths(tenor))).size < 3) {
    throw InvalidInputError.at("input.type", "NELSON_SIEGEL needs a curve of at least 3 different tenors");
  }
  return trainingWindow(spec, history);
}

function checkHistory({ dates, tenors, values }: CurveHistory): void {
  if (tenors.length === 0 || tenors.length > MOST_TENORS) {
    throw InvalidInputError.at("tenors", `a curve has 1 to ${MOST_TENORS} tenors, not ${tenors.length}`);
  }
  tenors.forEach((tenor) => tenorMonths(tenor));
  const repeated = tenors.find((tenor, i) => tenors.indexOf(tenor) !== i);
  if (repeated) throw InvalidInputError.at("tenors", `"${repeated}" is there twice`);
  dates.forEach((date, i) => {
    if (i > 0 && date <= dates[i - 1]!) {
      throw InvalidInputError.at("dates", `${date} does not come after ${dates[i - 1]}`);
    }
  });
  if (values.length !== dates.length * tenors.length) {
    const expected = `${dates.length} dates x ${tenors.length} tenors`;
    throw InvalidInputError.at("values", `${values.length} numbers are not ${expected}`);
  }
  // Forecasters and their artifacts compute in float32.
  const infinite = values.findIndex((value) => Math.abs(Math.fround(value)) === Number.POSITIVE_INFINITY);
  if (infinite >= 0) {
    const where = `${dates[Math.floor(infinite / tenors.length)]} ${tenors[infinite % tenors.length]}`;
    throw InvalidInputError.at("values", `${where} is beyond the range of float32`);
  }
}

function checkHorizons(horizons: readonly number[]): void {
  if (horizons.length === 0 || horizons.length > MOST_HORIZONS) {
    throw InvalidInputError.at("input.horizons", `must be 1 to ${MOST_HORIZONS} horizons`);
  }
  horizons.forEach((horizon, i) => {
    checkNumber(`input.horizons.${i}`, horizon, 1, LONGEST_HORIZON);
    if (horizons.indexOf(horizon) !== i) throw InvalidInputError.at(`input.horizons.${i}`, "is there twice");
  });
}

function checkNumber(field: string, value: number, minimum: number, maximum: number): void {
  if (!Number.isInteger(value) || value < minimum || value > maximum) {
    throw InvalidInputError.at(field, `must be a whole number from ${minimum} to ${maximum}`);
  }
}

function trainingWindow(spec: TrainingSpec, history: CurveHistory): TrainingWindow {
  for (const field of ["from", "to", "backtestFrom"] as const) checkDate(`input.${field}`, spec[field]);
  const { dates } = history;
  const from = spec.from === undefined ? 0 : firstOnOrAfter(dates, spec.from);
  const to = spec.to === undefined ? dates.length - 1 : lastOnOrBefore(dates, spec.to);
  const count = to - from + 1;
  if (spec.from !== undefined && spec.to !== undefined && spec.from > spec.to) {
    throw InvalidInputError.at("input.from", `${spec.from} is after input.to, ${spec.to}`);
  }
  const longest = Math.max(...spec.horizons);
  const scores = scoresNeeded(spec.coverage);
  // Each of the first fit, the first scores of the longest horizon, and the backtest comes after the one before.
  const beforeBacktest = LEAST_FIT + 3 * longest + scores;
  const needed = Math.max(beforeBacktest + scores, Math.ceil((beforeBacktest / 3) * 4));
  const purpose = `for horizon ${longest} and coverage ${spec.coverage}`;
  const field = (["backtestFrom", "from", "to"] as const).find((each) => spec[each] !== undefined) ?? "curve";
  const refuse = (found: string, least: number) =>
    InvalidInputError.at(`input.${field}`, `${found}, but ${least} are needed ${purpose}`);
  const quoted = quotedDates(history, from, to);
  if (spec.backtestFrom === undefined && quoted < needed) throw refuse(`${quoted} dates with quotes`, needed);
  const backtestFrom =
    spec.backtestFrom === undefined
      ? from + Math.floor(0.75 * count)
      : firstOnOrAfter(dates, spec.backtestFrom);
  const before = quotedDates(history, from, Math.min(backtestFrom, to + 1) - 1);
  if (before < beforeBacktest)
    throw refuse(`${before} dates with quotes before the backtest`, beforeBacktest);
  const scored = quotedDates(history, backtestFrom, to);
  if (scored < scores) throw refuse(`${scored} dates with quotes in the backtest`, scores);
  const fitOnly = Math.max(LEAST_FIT, Math.floor(FIT_ONLY * (backtestFrom - from - 3 * longest)));
  const firstOrigin = from + longest + Math.min(fitOnly, backtestFrom - from - 3 * longest - scores) - 1;
  return { from, to, backtestFrom, firstOrigin };
}

function quotedDates({ tenors, values }: CurveHistory, from: number, to: number): number {
  let count = 0;
  for (let date = from; date <= to; date++) {
    const curve = values.subarray(date * tenors.length, (date + 1) * tenors.length);
    if (curve.some((value) => !Number.isNaN(value))) count++;
  }
  return count;
}

function checkDate(field: string, date: string | undefined): void {
  if (date !== undefined && !isCalendarDate(date))
    throw InvalidInputError.at(field, `"${date}" is not a date such as 2024-12-31`);
}

function lastOnOrBefore(dates: readonly string[], date: string): number {
  return dates.findLastIndex((each) => each <= date);
}

function firstOnOrAfter(dates: readonly string[], date: string): number {
  const found = dates.findIndex((each) => each >= date);
  return found < 0 ? dates.length : found;
}
