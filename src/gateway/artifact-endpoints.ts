import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { outcomeOf } from "../modules/audit/index.js";
import type { AuditTrail, NewAuditEntry } from "../modules/audit/index.js";
import type { ArtifactLinks, ModelRegistryService } from "../modules/models/index.js";
import { InvalidInputError, NotFoundError } from "../shared/errors.js";
import type { ClientAddresses } from "./client-address.js";
import { LinkReads } from "./link-reads.js";

interface LinkQuery {
  expires?: string;
  signature?: string;
}

/** Where artifacts are uploaded to and downloaded from, by signed links only. */
export function serveArtifacts(
  fastify: FastifyInstance,
  registry: ModelRegistryService,
  links: ArtifactLinks,
  { trail, addresses }: { trail: AuditTrail; addresses: ClientAddresses },
): void {
  const reads = new LinkReads();
  /** What fails is entered, too. */
  const audited = async (
    request: FastifyRequest,
    about: LinkUse,
    work: () => Promise<void>,
  ): Promise<void> => {
    try {
      await work();
    } catch (error) {
      const entry = { ...entryOf(request, about, addresses), outcome: outcomeOf(error) };
      trail.refused({ ...entry, target: "artifact" }, addresses.of(request.raw));
      throw error;
    }
  };
  void fastify.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    // The body stays a stream: an artifact may be larger than memory.
    scope.addContentTypeParser("*", (_request, _payload, parsed) => parsed(null));
    scope.put<{ Params: { version: string; file: string }; Querystring: LinkQuery }>(
      "/artifacts/uploads/:version/:file",
      { bodyLimit: Number.MAX_SAFE_INTEGER },
      async (request, reply) => {
        const { version, file } = request.params;
        const about: LinkUse = { action: "artifact.write", target: `version:${version}` };
        await audited(request, about, async () => {
          links.verify("PUT", pathOf(request), request.query);
          await registry.receive(version, file, bodyOf(request));
        });
        // Nothing is done with the bytes before their version is completed, which has an entry of its own.
        await trail.record([entryOf(request, about, addresses)]);
        return reply.code(204).send();
      },
    );
    scope.get<{ Params: { sha256: string; file: string }; Querystring: LinkQuery }>(
      "/artifacts/:sha256/:file",
      async (request, reply) => {
        const { sha256, file } = request.params;
        const about: LinkUse = { action: "artifact.read", target: `artifact:${sha256}` };
        await audited(request, about, async () => {
          links.verify("GET", pathOf(request), request.query);
          reads.take(`${pathOf(request)} ${Number(request.query.expires)}`);
        });
        // Before the first byte leaves.
        await trail.record([entryOf(request, about, addresses)]);
        return download(registry, sha256, file, request.headers.range, reply);
      },
    );
    done();
  });
}

interface LinkUse {
  action: "artifact.read" | "artifact.write";
  target: string;
}

/** The link is all that is known of its bearer; who was given it, has an entry of his own. */
function entryOf(
  { id, headers, raw }: FastifyRequest,
  about: LinkUse,
  addresses: ClientAddresses,
): NewAuditEntry {
  const range = /^bytes=[\d,-]{1,64}$/.exec(headers.range ?? "")?.[0];
  return {
    ...{ actor: "anonymous", ...about, outcome: "OK", requestId: id },
    detail: { remote: addresses.of(raw), ...(range === undefined ? {} : { range }) },
  };
}

function pathOf(request: FastifyRequest): string {
  return request.url.split("?", 1)[0]!;
}

/** The body's bytes; a client that hangs up half-way has sent a short body, and is no failure of ours. */
async function* bodyOf({ raw }: FastifyRequest): AsyncGenerator<Uint8Array> {
  try {
    // Left open when its reader stops early: the refusal goes back over the same socket.
    yield* raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
  } catch (cause) {
    throw new InvalidInputError("the upload ended before its last byte", { cause });
  }
}

async function download(
  registry: ModelRegistryService,
  sha256: string,
  file: string,
  rangeHeader: string | undefined,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const size = await registry.size(sha256);
  if (size === undefined) throw new NotFoundError("no such artifact");
  const range = parseRange(rangeHeader, size);
  if (range === "unsatisfiable") return reply.code(416).header("content-range", `bytes */${size}`).send();
  const content = await registry.read(sha256, range);
  void reply
    .header("content-type", "application/octet-stream")
    .header("content-disposition", `attachment; filename="${file}"`)
    .header("accept-ranges", "bytes")
    .header("etag", `"${sha256}"`)
    .header("content-length", range ? range.end - range.start + 1 : size);
  if (range) void reply.code(206).header("content-range", `bytes ${range.start}-${range.end}/${size}`);
  return reply.send(content);
}

/** One range of bytes (RFC 9110); several, or another unit, are answered with the whole. */
function parseRange(
  header: string | undefined,
  size: number,
): { start: number; end: number } | "unsatisfiable" | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return undefined;
  const [first, last] = [match[1] ?? "", match[2] ?? ""];
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1);
  return start > end || start >= size ? "unsatisfiable" : { start, end };
}
