import { SpanKind, SpanStatusCode, TraceFlags, context, propagation, trace } from "@opentelemetry/api";
import type { Attributes, Span } from "@opentelemetry/api";

const tracer = trace.getTracer("254carbon-ml");

export interface Tracing {
  /** Sends what is left. */
  close(): Promise<void>;
}

/** Starts sending spans; without an endpoint spans cost next to nothing. */
export async function startTracing(otlpEndpoint: string | undefined): Promise<Tracing> {
  if (otlpEndpoint === undefined) return { close: () => Promise.resolve() };
  // Two hundred files, which a platform that sends no spans does without.
  const { exportSpansTo } = await import("./span-exporter.js");
  const provider = exportSpansTo(otlpEndpoint);
  tracingOn = true;
  return { close: () => provider.shutdown() };
}

let tracingOn = false;

export function isTracing(): boolean {
  return tracingOn;
}

/** Runs `work` in a span that ends with it; a failure is recorded and passed on. */
export function inSpan<T>(
  name: string,
  attributes: Attributes,
  work: () => Promise<T>,
  kind: SpanKind = SpanKind.INTERNAL,
): Promise<T> {
  if (!tracingOn) return work();
  return tracer.startActiveSpan(name, { attributes, kind }, async (span: Span) => {
    try {
      return await work();
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      span.setAttribute("error.type", error instanceof Error ? error.name : "unknown");
      throw error;
    } finally {
      span.end();
    }
  });
}

/** As `inSpan`, below the span that a carrier (HTTP headers, a queued job) tells of. */
export function inRemoteSpan<T>(
  carrier: Record<string, unknown>,
  name: string,
  attributes: Attributes,
  work: () => Promise<T>,
  kind: SpanKind,
): Promise<T> {
  if (!tracingOn) return work();
  return context.with(propagation.extract(context.active(), carrier), () =>
    inSpan(name, attributes, work, kind),
  );
}

/** A span that is begun and ended by hand, where no one function spans what it measures. */
export interface OpenSpan {
  /** Runs `work` below the span. */
  around<T>(work: () => T): T;
  end(): void;
}

/** Undefined while nothing is traced. */
export function openSpan(name: string, attributes: Attributes): OpenSpan | undefined {
  if (!tracingOn) return undefined;
  const span = tracer.startSpan(name, { attributes });
  const within = trace.setSpan(context.active(), span);
  return { around: (work) => context.with(within, work), end: () => span.end() };
}

/** A span of something that has just ended. @param durationMs how long it took */
export function recordSpan(name: string, attributes: Attributes, durationMs: number, success: boolean): void {
  if (!tracingOn) return;
  const endTime = Date.now();
  const span = tracer.startSpan(name, { attributes, kind: SpanKind.CLIENT, startTime: endTime - durationMs });
  if (!success) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end(endTime);
}

/** W3C headers of the current span; empty when there is none. */
export function currentTraceContext(): Record<string, string> {
  const carrier: Record<string, string> = {};
  if (tracingOn) propagation.inject(context.active(), carrier);
  return carrier;
}

/** For `exemplarLabels` of a histogram: the trace under way, if it will be found where traces are kept. */
export function currentExemplar(): Record<string, string> {
  const span = tracingOn ? trace.getActiveSpan()?.spanContext() : undefined;
  return span && span.traceFlags & TraceFlags.SAMPLED ? { trace_id: span.traceId } : NO_EXEMPLAR;
}

const NO_EXEMPLAR = {};

export { SpanKind };
