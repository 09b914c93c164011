import type { FastifyInstance, FastifyServerOptions } from "fastify";
import { PreconditionFailedError } from "../shared/errors.js";
import type { TlsServer } from "./tls-server.js";

const refuseSchema = (): never => {
  throw new Error("routes are described in GraphQL, not by JSON schemas");
};

/** No route of ours has a JSON schema, so Fastify need not load its compilers: 250 files of a start. */
export const withoutSchemas: Pick<FastifyServerOptions, "schemaController"> = {
  schemaController: { compilersFactory: { buildValidator: refuseSchema, buildSerializer: refuseSchema } },
};

/** What a process answers over HTTP. */
export interface Door {
  /**
   * @param port 0 takes a free one
   * @returns the address that was taken
   * @throws {PreconditionFailedError} when another process has the port
   */
  listen(host: string, port: number): Promise<{ url: string; port: number }>;
  /** Ends sockets, stops listening, and waits for requests under way, which are cut off after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** How every door listens. */
export async function listenOn(
  fastify: FastifyInstance,
  { host, port, tls }: { host: string; port: number; tls?: TlsServer },
) {
  await fastify.listen({ host, port }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EADDRINUSE") throw error;
    throw new PreconditionFailedError(`port ${port} of ${host} is taken; ML_PORT=0 takes a free one`);
  });
  if (tls) fastify.server.once("close", tls.follow(fastify.server as never));
  const { port: taken } = fastify.server.address() as { port: number };
  const name = host.includes(":") ? `[${host}]` : host;
  return { url: `${tls ? "https" : "http"}://${name}:${taken}`, port: taken };
}
