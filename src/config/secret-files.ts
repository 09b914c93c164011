import { readFileSync } from "node:fs";

/**
 * Variables whose value is a secret, or comes from where secrets are kept: each may be in a file instead, which
 * `NAME_FILE` names, and which may change while the process runs.
 */
export const SECRET_VARIABLES = [
  "ML_JWT_SECRET_KEY",
  "ML_JWT_SECRET_KEY_PREVIOUS",
  "ML_API_KEY_SECRET",
  "ML_API_KEY_SECRET_PREVIOUS",
  "ML_AUDIT_KEY",
  "ML_BACKUP_RECIPIENTS",
  "ML_BACKUP_IDENTITY",
  "ML_RESTORE_TEST_DSN",
  "ML_VECTOR_DB_DSN",
  "ML_MIGRATIONS_DSN",
  "ML_VECTOR_DB_REPLICA_DSNS",
  "ML_REDIS_URL",
  "ML_CACHE_REDIS_URL",
  "ML_S3_ACCESS_KEY_ID",
  "ML_S3_SECRET_ACCESS_KEY",
] as const;

type Environment = Readonly<Record<string, string | undefined>>;

const isSet = (value: string | undefined): value is string => value !== undefined && value !== "";

/** The environment with the contents of such files in the place of their names, and what is wrong with any. */
export function readSecretFiles(environment: Environment): {
  environment: Record<string, string | undefined>;
  complaints: string[];
} {
  const files = new Set(SECRET_VARIABLES.map((name) => `${name}_FILE`));
  const read = Object.fromEntries(Object.entries(environment).filter(([name]) => !files.has(name)));
  const complaints: string[] = [];
  for (const name of SECRET_VARIABLES) {
    const variable = `${name}_FILE`;
    const file = environment[variable];
    if (!isSet(file)) continue;
    if (isSet(environment[name])) {
      complaints.push(`${variable}: set it or ${name}, not both`);
      continue;
    }
    // The secret of before has an end, and its file then has nothing in it or is gone.
    const mayEnd = name.endsWith("_PREVIOUS");
    try {
      // Editors and `echo` end a file with a line's end, which no secret has.
      read[name] = readFileSync(file, "utf8").trim();
      if (read[name] === "" && !mayEnd) complaints.push(`${variable}: the file is empty`);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" && mayEnd) continue;
      complaints.push(`${variable}: the file cannot be read (${code})`);
    }
  }
  return { environment: read, complaints };
}

/** Whether any secret is in a file. */
export function hasSecretFiles(environment: Environment): boolean {
  return SECRET_VARIABLES.some((name) => isSet(environment[`${name}_FILE`]));
}
