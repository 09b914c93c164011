import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface SpanCollector {
  url: string;
  /** All that was sent, as it came. */
  text(): string;
  close(): void;
}

/** Takes what an OpenTelemetry exporter sends as JSON over HTTP. */
export async function startSpanCollector(): Promise<SpanCollector> {
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      bodies.push(body);
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    text: () => bodies.join("\n"),
    close: () => server.close(),
  };
}
