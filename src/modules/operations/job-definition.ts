/** What a module declares about a job: its name, where it queues and how often it may be tried. */
export interface JobDefinition<Payload extends Record<string, unknown> = Record<string, unknown>> {
  readonly name: string;
  readonly queue: string;
  /** Deliveries that may fail before the job does, and that may end with their worker in a row. */
  readonly attempts: number;
  /** Within its queue; 1 is the most urgent, and jobs without one come before those that have one. */
  readonly priority?: number;
  /** Goes on where an earlier delivery was: it may be interrupted at any time, and little is done twice. */
  readonly resumes?: boolean;
  /** Of a part: what it has done is lost when its whole ends early, and is done again when that is retried. */
  readonly lostWithWhole?: boolean;
  /** Reads a stored payload back. @throws when it is not one of this job */
  readonly parse: (payload: Record<string, unknown>) => Payload;
}

export function defineJob<Payload extends Record<string, unknown>>(
  definition: JobDefinition<Payload>,
): JobDefinition<Payload> {
  return definition;
}

/** What a handler is given beside its payload. */
export interface JobRun {
  readonly id: string;
  /** Fencing token of this delivery. */
  readonly fence: number;
  readonly attempt: number;
  /** Aborted at shutdown and when the job is cancelled or was taken over by another worker. */
  readonly signal: AbortSignal;
  /** Saves progress, 0 to 1, and tells subscribers; too frequent calls are merged. */
  report(progress: number): Promise<void>;
}
