import { Bell } from "../../shared/bell.js";
import { eventDelay } from "../../telemetry/metrics.js";
import type { EventTopic, OutboxRepository, StoredEvent } from "./outbox.repository.js";

/** Upper bound on how long an event waits when a wake-up was lost. */
const POLL_MS = 1_000;

/** Told of each event of a topic; none may throw. */
export interface Follower {
  take(event: StoredEvent): void;
  /** The reader has failed, and tells no more. */
  fail(error: unknown): void;
}

/** Reads a topic once for all followers of this process: a thousand of them cost one statement an event. */
export class TopicReader {
  private readonly followers = new Set<Follower>();
  private readonly bell = new Bell();
  private started: Promise<void> | undefined;

  constructor(
    private readonly outbox: OutboxRepository,
    private readonly topic: EventTopic,
  ) {}

  /** @returns once every event that the follower is not told of can be read from the outbox */
  async follow(follower: Follower): Promise<void> {
    this.followers.add(follower);
    this.started ??= this.start();
    await this.started;
  }

  leave(follower: Follower): void {
    this.followers.delete(follower);
    if (this.followers.size === 0) this.bell.ring();
  }

  wake(): void {
    this.bell.ring();
  }

  private async start(): Promise<void> {
    try {
      const from = await this.outbox.end();
      void this.read(from);
    } catch (error) {
      this.started = undefined;
      throw error;
    }
  }

  private async read(from: StoredEvent["position"]): Promise<void> {
    let position = from;
    try {
      while (this.followers.size > 0) {
        const events = await this.outbox.readAfter(this.topic, position);
        for (const event of events) {
          position = event.position;
          eventDelay.observe(Math.max(0, Date.now() - event.at.getTime()) / 1000);
          for (const follower of this.followers) follower.take(event);
        }
        if (events.length === 0) await this.bell.wait(POLL_MS);
      }
    } catch (error) {
      const told = [...this.followers];
      this.followers.clear();
      for (const follower of told) follower.fail(error);
    } finally {
      this.started = undefined;
    }
  }
}
