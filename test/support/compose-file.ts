import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

const ROOT = join(import.meta.dirname, "../../..");

export interface ComposeService {
  image: string;
  build?: { context: string; dockerfile: string };
  command?: string[];
  environment?: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  tmpfs?: string[];
  networks?: unknown;
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test?: string[]; disable?: boolean };
  read_only?: boolean;
  cap_drop?: string[];
  cap_add?: string[];
  security_opt?: string[];
  stop_grace_period?: string;
  profiles?: string[];
  shm_size?: string;
  deploy?: { replicas?: number; resources: { limits: { cpus: string; memory: string } } };
}

export interface ComposeFile {
  services: Record<string, ComposeService>;
  networks: Record<string, { internal?: boolean } | null>;
  volumes: Record<string, unknown>;
}

export const readFromRoot = (file: string): string => readFileSync(join(ROOT, file), "utf8");

/** The file as compose would see it with these variables. @throws when one that must be set is not */
export function readCompose(path: string, variables: Readonly<Record<string, string>>): ComposeFile {
  const text = readFromRoot(path).replaceAll(
    /\$\{(\w+)(?:(:-|:\?)([^}]*))?\}/g,
    (_, name: string, kind?: string, rest = "") => {
      const value = variables[name];
      if (value) return value;
      if (kind === ":-") return rest as string;
      throw new Error(`${name} is not set: ${rest as string}`);
    },
  );
  const file = parse(text.replaceAll("$$", "$"), { merge: true }) as ComposeFile;
  // Compose fills variables in after it has read the file: they are text, whatever they look like.
  for (const service of Object.values(file.services)) {
    const entries = Object.entries(service.environment ?? {});
    if (entries.length > 0) service.environment = Object.fromEntries(entries.map(([k, v]) => [k, String(v)]));
  }
  return file;
}

/** Names of variables that the file cannot do without. */
export function requiredVariables(file: string): string[] {
  return [...new Set([...readFromRoot(file).matchAll(/\$\{(\w+):\?/g)].map(([, name]) => name!))].sort();
}

/** `NAME=value` lines. */
export function readVariables(file: string): Record<string, string> {
  const lines = readFromRoot(file).matchAll(/^(\w+)=(.*)$/gm);
  return Object.fromEntries([...lines].map(([, name, value]) => [name!, value!]));
}
