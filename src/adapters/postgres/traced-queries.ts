import { EventSubscriber } from "typeorm";
import type { EntitySubscriberInterface } from "typeorm";
import type { AfterQueryEvent } from "typeorm/subscriber/event/QueryEvent.js";
import { recordSpan } from "../../telemetry/tracing.js";

const LONGEST_STATEMENT = 500;

/** A span for every statement: its text with placeholders, never the values. */
@EventSubscriber()
export class TracedQueries implements EntitySubscriberInterface {
  afterQuery({ query, executionTime, success }: AfterQueryEvent): void {
    const operation = /^\s*(\w+)/.exec(query)?.[1]?.toUpperCase() ?? "SQL";
    const attributes = { "db.system.name": "postgresql", "db.query.text": query.slice(0, LONGEST_STATEMENT) };
    recordSpan(operation, attributes, executionTime ?? 0, success);
  }
}
