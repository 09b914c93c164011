/** The only place that reads the environment; everything else is handed a `Config`. */
export function readEnvironment(): Readonly<Record<string, string | undefined>> {
  return { ...process.env };
}
