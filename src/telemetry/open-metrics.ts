import { Registry } from "prom-client";
import type { MetricObjectWithValues, MetricValue, OpenMetricsContentType } from "prom-client";
import { metricsRegistry } from "./metrics.js";

/** How prom-client's writer reads a metric; the declared type leaves it out. */
interface Readable {
  name: string;
  type: string;
  get(): Promise<MetricObjectWithValues<MetricValue<string>>>;
  getForPromString?(): Promise<MetricObjectWithValues<MetricValue<string>>>;
}

/**
 * The same metrics in OpenMetrics, which alone carries exemplars. prom-client renames counters for good when it writes
 * them so: it is given stand-ins instead.
 */
const openMetrics = new Registry<OpenMetricsContentType>();
openMetrics.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
for (const metric of metricsRegistry.getMetricsAsArray() as unknown as Readable[]) {
  openMetrics.registerMetric(standInFor(metric) as never);
}

function standInFor(metric: Readable): Readable {
  const read = () => metric.getForPromString?.() ?? metric.get();
  const name = metric.type === "counter" ? metric.name.replace(/_total$/, "") : metric.name;
  const renamed = async () => ({ ...(await read()), name });
  return { name, type: metric.type, get: renamed, getForPromString: renamed };
}

/** @param accept header of the request: Prometheus names OpenMetrics there when it keeps exemplars */
export async function writeMetrics(accept = ""): Promise<{ contentType: string; text: string }> {
  const registry = accept.includes("application/openmetrics-text") ? openMetrics : metricsRegistry;
  return { contentType: registry.contentType, text: await registry.metrics() };
}
