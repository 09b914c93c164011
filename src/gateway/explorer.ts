import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import { StaticAsset } from "./static-asset.js";
import { PACKAGE_ROOT } from "../shared/package-root.js";

const HTML = "text/html; charset=utf-8";
const CSS = "text/css; charset=utf-8";
const SCRIPT = "text/javascript; charset=utf-8";

/** Pages load nothing from anywhere else, run no script but our files, and are framed by nobody. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self' 'unsafe-inline'", // GraphiQL's editor places its text by inline styles
  "font-src 'self' data:",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

interface AssetSource {
  type: string;
  read: () => Promise<string | Buffer>;
}

const ownFile = (name: string, type: string): AssetSource => ({
  type,
  read: () => readFile(join(PACKAGE_ROOT, "dist/src/gateway/pages", name)),
});

type GraphiQLPart = "js" | "css" | "editorWorkerService" | "jsonWorker" | "graphqlWorker";

/** Nine megabytes altogether, so they are loaded when the first visitor comes. */
const graphiQLPart = (part: GraphiQLPart, type: string): AssetSource => ({
  type,
  read: async () => (await import("@graphql-yoga/render-graphiql/graphiql"))[part],
});

const ASSETS: Record<string, AssetSource> = {
  "/": ownFile("landing.html", HTML),
  "/pages/landing.css": ownFile("landing.css", CSS),
  "/pages/landing.js": ownFile("landing.js", SCRIPT),
  "/pages/icon.svg": ownFile("icon.svg", "image/svg+xml"),
  "/graphiql": ownFile("graphiql.html", HTML),
  "/graphiql/start.js": ownFile("graphiql-start.js", SCRIPT),
  "/graphiql/graphiql.js": graphiQLPart("js", SCRIPT),
  "/graphiql/graphiql.css": graphiQLPart("css", CSS),
  "/graphiql/editor-worker.js": graphiQLPart("editorWorkerService", SCRIPT),
  "/graphiql/json-worker.js": graphiQLPart("jsonWorker", SCRIPT),
  "/graphiql/graphql-worker.js": graphiQLPart("graphqlWorker", SCRIPT),
};

/** The landing page and GraphiQL, all from our own files: they work without internet. */
export function serveExplorer(fastify: FastifyInstance): void {
  for (const [path, source] of Object.entries(ASSETS)) {
    let asset: Promise<StaticAsset> | undefined;
    fastify.get(path, async (request, reply) => {
      asset ??= source.read().then((content) => new StaticAsset(content, source.type));
      void reply
        .header("content-security-policy", CONTENT_SECURITY_POLICY)
        .header("referrer-policy", "no-referrer");
      return (await asset).answer(request, reply);
    });
  }
}
