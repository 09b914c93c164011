import type { Logger } from "typeorm";
import type { AdapterLog } from "../adapter-log.js";

/**
 * TypeORM's words in the process's log instead of on the console. Queries that fail are left out: the
 * error reaches their caller.
 */
export class TypeormLog implements Logger {
  constructor(private readonly target: AdapterLog | undefined) {}

  logQuery(): void {
    // Traces show queries.
  }

  logQueryError(): void {
    // Thrown as well.
  }

  logQuerySlow(): void {
    // Not measured.
  }

  logSchemaBuild(): void {
    // Migrations, not TypeORM, change the schema.
  }

  logMigration(message: string): void {
    this.target?.info({}, message);
  }

  log(level: "log" | "info" | "warn", message: unknown): void {
    if (level === "warn") this.target?.warn({}, String(message));
    else this.target?.info({}, String(message));
  }
}
