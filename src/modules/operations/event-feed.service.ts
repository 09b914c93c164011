import type { Database } from "../../ports/database.js";
import { subscriptionsOpen } from "../../telemetry/metrics.js";
import { OUTBOX_CHANNEL, OutboxRepository, parseEventCursor } from "./outbox.repository.js";
import type { EventPosition, EventTopic, StoredEvent } from "./outbox.repository.js";
import { SubscriptionEvents } from "./subscription-events.js";
import { TopicReader } from "./topic-reader.js";

export interface FeedRequest {
  topic: EventTopic;
  /** Only events whose subject has these values. */
  subject: Record<string, string | undefined>;
  /** Cursor of the last event the client has; without one it gets what happens from now on. */
  after?: string | null;
}

/** Lets subscribers read the outbox: what they missed first, then what happens, in order, from any process. */
export class EventFeed {
  private readonly outbox: OutboxRepository;
  private readonly readers = new Map<EventTopic, TopicReader>();
  private readonly open = new Set<SubscriptionEvents>();
  private stopListening?: () => Promise<void>;
  private closed = false;

  constructor(private readonly database: Database) {
    this.outbox = new OutboxRepository(database.dataSource.manager);
  }

  async start(): Promise<void> {
    this.stopListening = await this.database.listen(OUTBOX_CHANNEL, (topic) => {
      for (const [name, reader] of this.readers) if (topic === "" || topic === name) reader.wake();
    });
  }

  /** @throws {InvalidInputError} for a malformed cursor, before the first event */
  async subscribe({ topic, subject, after }: FeedRequest): Promise<AsyncGenerator<StoredEvent, void>> {
    const from = after == null ? await this.outbox.end() : parseEventCursor(after);
    const wanted = Object.entries(subject).filter(([, value]) => value !== undefined);
    const wants = (event: StoredEvent) => wanted.every(([name, value]) => event.subject[name] === value);
    const subscription = new SubscriptionEvents(this.outbox, this.readerOf(topic), topic, wants);
    const events = this.counted(subscription, from);
    const end = events.return.bind(events);
    // A generator attends to return() only when it yields: one that waits for events must be woken for it.
    events.return = (value) => {
      subscription.retire();
      return end(value);
    };
    return events;
  }

  /** Seconds for which an open transaction has kept an event from everybody. */
  lag(): Promise<number> {
    return this.outbox.lag();
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const subscription of this.open) subscription.retire();
    await this.stopListening?.();
  }

  private async *counted(
    subscription: SubscriptionEvents,
    from: EventPosition,
  ): AsyncGenerator<StoredEvent, void> {
    if (this.closed) return;
    this.open.add(subscription);
    subscriptionsOpen.inc();
    try {
      yield* subscription.after(from);
    } finally {
      this.open.delete(subscription);
      subscriptionsOpen.dec();
    }
  }

  private readerOf(topic: EventTopic): TopicReader {
    const reader = this.readers.get(topic) ?? new TopicReader(this.outbox, topic);
    this.readers.set(topic, reader);
    return reader;
  }
}
