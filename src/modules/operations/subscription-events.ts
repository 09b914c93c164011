import { Bell } from "../../shared/bell.js";
import { isAfter } from "./outbox.repository.js";
import type { EventPosition, EventTopic, OutboxRepository, StoredEvent } from "./outbox.repository.js";
import type { Follower, TopicReader } from "./topic-reader.js";

/** Events that wait for a slow subscriber; beyond, it reads the outbox by itself again. */
const MOST_WAITING = 1_000;
const LOOK_AGAIN_MS = 60_000;

/** What one subscriber gets: first what it missed, then what happens, each event once and in order. */
export class SubscriptionEvents implements Follower {
  private readonly bell = new Bell();
  private waiting: StoredEvent[] = [];
  private behind = false;
  private failure: { error: unknown } | undefined;

  constructor(
    private readonly outbox: OutboxRepository,
    private readonly reader: TopicReader,
    private readonly topic: EventTopic,
    private readonly wants: (event: StoredEvent) => boolean,
  ) {}

  take(event: StoredEvent): void {
    if (this.behind || !this.wants(event)) return;
    this.waiting.push(event);
    this.behind = this.waiting.length > MOST_WAITING;
    this.bell.ring();
  }

  fail(error: unknown): void {
    this.failure = { error };
    this.bell.ring();
  }

  /** Wakes it for good. */
  retire(): void {
    this.bell.retire();
  }

  /** @param from after which event it begins */
  async *after(from: EventPosition): AsyncGenerator<StoredEvent, void> {
    let position = from;
    try {
      await this.reader.follow(this);
      while (!this.bell.retired) {
        this.waiting = [];
        this.behind = false;
        for await (const event of this.missed(position)) {
          position = event.position;
          if (this.wants(event)) yield event;
        }
        for await (const event of this.told()) {
          // It may have been read as missed, too.
          if (!isAfter(event.position, position)) continue;
          position = event.position;
          yield event;
        }
      }
    } finally {
      this.reader.leave(this);
    }
  }

  private async *missed(from: EventPosition): AsyncGenerator<StoredEvent, void> {
    let position = from;
    while (!this.bell.retired) {
      const events = await this.outbox.readAfter(this.topic, position);
      if (events.length === 0) return;
      position = events.at(-1)!.position;
      yield* events;
    }
  }

  /** Ends when more has happened than waits for it. */
  private async *told(): AsyncGenerator<StoredEvent, void> {
    while (!this.bell.retired && !this.behind) {
      const event = this.waiting.shift();
      if (event) yield event;
      else if (this.failure) throw this.failure.error;
      else await this.bell.wait(LOOK_AGAIN_MS);
    }
  }
}
