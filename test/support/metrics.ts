import type { Platform } from "./platform.js";

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** Everything that /metrics says now. */
export async function metricsOf(platform: Pick<Platform, "url">): Promise<Sample[]> {
  const text = await (await fetch(`${platform.url}/metrics`)).text();
  return text
    .split("\n")
    .map((line) => /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, name, labels = "", value]) => ({
      name: name!,
      labels: Object.fromEntries(
        [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, text]) => [key, text]),
      ),
      value: Number(value),
    }));
}

/** Sum of the samples of that name that have these labels; 0 when there is none. */
export async function metric(
  platform: Pick<Platform, "url">,
  name: string,
  labels: Record<string, string> = {},
): Promise<number> {
  const samples = await metricsOf(platform);
  return samples
    .filter((sample) => sample.name === name)
    .filter((sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value))
    .reduce((sum, { value }) => sum + value, 0);
}
