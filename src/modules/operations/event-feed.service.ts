import type { Database } from "../../ports/database.js";
import { Bell } from "../../shared/bell.js";
import { outboxLag, subscriptionsOpen } from "../../telemetry/metrics.js";
import { OUTBOX_CHANNEL, OutboxRepository, parseEventCursor } from "./outbox.repository.js";
import type { EventTopic, StoredEvent } from "./outbox.repository.js";

export interface FeedRequest {
  topic: EventTopic;
  /** Only events whose subject has these values. */
  subject: Record<string, string | undefined>;
  /** Cursor of the last event the client has; without one it gets what happens from now on. */
  after?: string | null;
}

/** Upper bound on how long an event waits when a wake-up was lost. */
const POLL_MS = 1_000;

/** Lets subscribers read the outbox: what they missed first, then what happens, in order, from any process. */
export class EventFeed {
  private readonly wakers = new Set<() => void>();
  private stopListening?: () => Promise<void>;
  private closed = false;

  constructor(private readonly database: Database) {}

  async start(): Promise<void> {
    this.stopListening = await this.database.listen(OUTBOX_CHANNEL, () => {
      for (const wake of this.wakers) wake();
    });
  }

  /** @throws {InvalidInputError} for a malformed cursor, before the first event */
  async subscribe(request: FeedRequest): Promise<AsyncGenerator<StoredEvent, void>> {
    const outbox = new OutboxRepository(this.database.dataSource.manager);
    const from = request.after == null ? await outbox.end() : parseEventCursor(request.after);
    const bell = new Bell();
    const events = this.read(outbox, request, from, bell);
    const end = events.return.bind(events);
    // A generator attends to return() only when it yields: one that waits for events must be woken for it.
    events.return = (value) => {
      bell.retire();
      return end(value);
    };
    return events;
  }

  private async *read(
    outbox: OutboxRepository,
    { topic, subject }: FeedRequest,
    from: StoredEvent["position"],
    bell: Bell,
  ): AsyncGenerator<StoredEvent, void> {
    const wanted = Object.entries(subject).filter(([, value]) => value !== undefined);
    this.wakers.add(bell.ring);
    subscriptionsOpen.inc();
    try {
      let position = from;
      while (!this.closed && !bell.retired) {
        const events = await outbox.readAfter(topic, position);
        for (const event of events) {
          position = event.position;
          outboxLag.set((Date.now() - event.at.getTime()) / 1000);
          if (wanted.every(([name, value]) => event.subject[name] === value)) yield event;
        }
        if (events.length === 0) await bell.wait(POLL_MS);
      }
    } finally {
      this.wakers.delete(bell.ring);
      subscriptionsOpen.dec();
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const wake of this.wakers) wake();
    await this.stopListening?.();
  }
}
