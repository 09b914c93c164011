import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

/** Registers the provider whose spans go to the collector. */
export function exportSpansTo(otlpEndpoint: string): NodeTracerProvider {
  const exporter = new OTLPTraceExporter({ url: new URL("/v1/traces", otlpEndpoint).href });
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ "service.name": "254carbon-ml" }),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  provider.register();
  return provider;
}
