import type { Transaction } from "../../ports/database.js";
import type { Caller } from "../identity/index.js";
import type { JobRow } from "./job.entity.js";
import type { JobDefinition } from "./job-definition.js";

/** What a module adds to the transactions that end or restart its jobs. */
export interface JobHooks {
  /** @throws {ForbiddenError} when grants of the caller keep the job from them */
  asked?(tx: Transaction, job: JobRow, wish: "cancel" | "retry", caller: Caller): Promise<void>;
  ended?(tx: Transaction, job: JobRow, state: "FAILED" | "CANCELLED"): Promise<void>;
  restarted?(tx: Transaction, job: JobRow): Promise<void>;
  /** One of the children that the job waits for has completed. */
  childCompleted?(tx: Transaction, job: JobRow, children: { completed: number; all: number }): Promise<void>;
}

/** The jobs that this process knows, and those that it works on. */
export class JobRegistry {
  /** By the job's id. */
  readonly running = new Map<string, AbortController>();
  private readonly definitions = new Map<string, JobDefinition>();
  private readonly hooks = new Map<string, JobHooks>();

  /** @param leaseMs how long a worker may be silent before its jobs go to another */
  constructor(readonly leaseMs: number) {}

  register<P extends Record<string, unknown>>(definition: JobDefinition<P>, hooks: JobHooks): void {
    this.definitions.set(definition.name, definition);
    this.hooks.set(definition.name, hooks);
  }

  definitionOf(kind: string): JobDefinition | undefined {
    return this.definitions.get(kind);
  }

  hooksOf(kind: string): JobHooks {
    return this.hooks.get(kind) ?? {};
  }

  kinds(): string[] {
    return [...this.definitions.keys()];
  }
}
