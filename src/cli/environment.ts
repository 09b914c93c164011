/** What the command line takes from its environment; flags win over it. */
export interface CliEnvironment {
  /** ML_URL: where the platform answers. */
  url?: string;
  /** ML_TOKEN: who is calling. */
  token?: string;
  /** NO_COLOR (https://no-color.org): any non-empty value. */
  noColor: boolean;
}

export function readEnvironment(): CliEnvironment {
  const { ML_URL, ML_TOKEN, NO_COLOR } = process.env;
  return { url: ML_URL || undefined, token: ML_TOKEN || undefined, noColor: Boolean(NO_COLOR) };
}

/** The environment for a platform of our own: ours without its ML_ settings, and with these instead. */
export function cleanEnvironment(settings: Record<string, string>): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("ML_"));
  return { ...Object.fromEntries(inherited), ...settings };
}
