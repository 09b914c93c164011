import type { Answer, Platform } from "./platform.js";

export interface Forecast {
  id: string;
  asOf: string;
  coverage: number;
  version: { number: number };
  horizons: {
    horizon: number;
    date: string;
    points: { tenor: string; mean: number; lower: number; upper: number }[];
  }[];
}

export const FORECAST = `
  fragment Forecast on CurveForecast {
    id asOf coverage version { number } horizons { horizon date points { tenor mean lower upper } }
  }`;

export function askForecast(
  platform: Platform,
  input: Record<string, unknown>,
): Promise<Answer<{ forecast: Forecast | null }>> {
  return platform.ask(
    `query Ask($input: ForecastInput!) { forecast(input: $input) { ...Forecast } } ${FORECAST}`,
    { input },
  );
}

export async function forecastOf(platform: Platform, input: Record<string, unknown>): Promise<Forecast> {
  const { data, errors } = await askForecast(platform, input);
  if (errors) throw new Error(JSON.stringify(errors));
  return data!.forecast!;
}
