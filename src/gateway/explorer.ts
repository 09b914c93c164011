import { createHash } from "node:crypto";
import type { FastifyInstance } from "fastify";

const STARTING_QUERY = `# The US Treasury curve, forecast by the model in production.
# More to try: the README of this platform.
query Forecast {
  forecast(input: { curve: "ust-par-yield" }) {
    asOf
    coverage
    version { number stage }
    horizons { horizon date points { tenor mean lower upper } }
  }
}
`;

/** GraphiQL from our own files: works without internet, subscriptions included. */
export function serveExplorer(fastify: FastifyInstance): void {
  let page: { html: string; etag: string } | undefined;
  fastify.get("/graphiql", async (request, reply) => {
    page ??= await renderPage();
    void reply.header("etag", page.etag).header("cache-control", "no-cache");
    if (request.headers["if-none-match"] === page.etag) return reply.code(304).send();
    return reply.type("text/html; charset=utf-8").send(page.html);
  });
}

async function renderPage(): Promise<{ html: string; etag: string }> {
  const { renderGraphiQL } = await import("@graphql-yoga/render-graphiql");
  const html = String(
    renderGraphiQL({
      title: "254Carbon ML",
      endpoint: "/graphql",
      subscriptionsProtocol: "WS",
      defaultQuery: STARTING_QUERY,
    }),
  );
  return { html, etag: `"${createHash("sha256").update(html).digest("hex").slice(0, 32)}"` };
}
