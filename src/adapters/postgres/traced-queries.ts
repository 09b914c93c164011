import { EventSubscriber } from "typeorm";
import type { EntitySubscriberInterface } from "typeorm";
import type { AfterQueryEvent } from "typeorm/subscriber/event/QueryEvent.js";
import { observeTraced } from "../../telemetry/events.js";
import { statementDuration } from "../../telemetry/metrics.js";
import { recordSpan } from "../../telemetry/tracing.js";

const LONGEST_STATEMENT = 500;

/** Those that have a series of their own. */
const KINDS = new Set(["SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "COMMIT"]);

/** A span for every statement: its text with placeholders, never the values. Its time is measured, too. */
@EventSubscriber()
export class TracedQueries implements EntitySubscriberInterface {
  afterQuery({ query, executionTime, success }: AfterQueryEvent): void {
    const operation = /^\s*(\w+)/.exec(query)?.[1]?.toUpperCase() ?? "SQL";
    const attributes = { "db.system.name": "postgresql", "db.query.text": query.slice(0, LONGEST_STATEMENT) };
    const statement = KINDS.has(operation) ? operation.toLowerCase() : "other";
    observeTraced(statementDuration, { statement }, (executionTime ?? 0) / 1000);
    recordSpan(operation, attributes, executionTime ?? 0, success);
  }
}
