import { InvalidInputError } from "./errors.js";

export interface RedisNode {
  host: string;
  port: number;
}

/** Where a Redis is and how to get in. */
export interface RedisAddress {
  kind: "standalone" | "sentinel" | "cluster";
  /** One; or Sentinels; or some nodes of a cluster, which name the others. */
  nodes: RedisNode[];
  tls: boolean;
  database: number;
  username?: string;
  password?: string;
  /** What the Sentinels call the servers that they watch. */
  master?: string;
  sentinelUsername?: string;
  sentinelPassword?: string;
}

const PORT = 6379;
const SENTINEL_PORT = 26_379;
const SCHEME = /^redis(s?)(?:-(sentinel|cluster))?:\/\/(.*)$/s;
const AFTER_SCHEME = /^(?:([^/?#@]*)@)?([^/?#@]+)(?:\/([^?#@]*))?(?:\?([^#]*))?$/;
const HOST_AND_PORT = /^(\[[0-9a-f:.]+\]|[A-Za-z0-9_.-]+)(?::(\d{1,5}))?$/i;
const DATABASE = /^\d{1,4}$/;

/**
 * Reads `redis://user:password@host:port/database`, `redis-sentinel://user:password@host:port,host:port/master-name`
 * or `redis-cluster://user:password@host:port,host:port`, each with `rediss` for TLS. Sentinels that want credentials
 * of their own get them by `?sentinelUsername=…&sentinelPassword=…`.
 * @throws {InvalidInputError} saying the rule that is broken and nothing of the URL, which holds a password
 */
export function parseRedisUrl(url: string): RedisAddress {
  const [, secure, form, rest] = SCHEME.exec(url) ?? refuse("must start with redis:// or rediss://");
  const kind = (form as "sentinel" | "cluster" | undefined) ?? "standalone";
  const [, credentials, servers, path = "", query = ""] =
    AFTER_SCHEME.exec(rest!) ??
    refuse("needs a host, and @ / ? # % in user name and password must be percent-encoded");
  return {
    kind,
    nodes: toNodes(servers!, kind),
    tls: secure === "s",
    ...toCredentials(credentials),
    ...toPlace(path, kind),
    ...toSentinelCredentials(query, kind),
  };
}

function toNodes(servers: string, kind: RedisAddress["kind"]): RedisNode[] {
  const nodes = servers.split(",").map((server, i) => {
    const [, host, port] =
      HOST_AND_PORT.exec(server.trim()) ?? refuse(`server ${i + 1} must be host:port, or only a host`);
    const number = port === undefined ? (kind === "sentinel" ? SENTINEL_PORT : PORT) : Number(port);
    if (number < 1 || number > 65_535) refuse(`the port of server ${i + 1} must be from 1 to 65535`);
    return { host: host!.replace(/^\[|\]$/g, ""), port: number };
  });
  if (kind === "standalone" && nodes.length > 1) {
    refuse("names several servers: redis-sentinel:// or redis-cluster:// does so");
  }
  return nodes;
}

function toCredentials(text: string | undefined): Pick<RedisAddress, "username" | "password"> {
  if (text === undefined) return {};
  const colon = text.indexOf(":");
  if (colon < 0) refuse("needs user:password or :password before the @");
  const username = decode(text.slice(0, colon));
  const password = decode(text.slice(colon + 1));
  if (password === "") refuse("has an empty password");
  return username === "" ? { password } : { username, password };
}

/** What the path says: a database, or a master's name. */
function toPlace(path: string, kind: RedisAddress["kind"]): Pick<RedisAddress, "database" | "master"> {
  if (kind === "cluster") {
    if (path !== "" && path !== "0") refuse("must not name a database: a cluster has only the first");
    return { database: 0 };
  }
  const [first = "", ...others] = path.split("/");
  if (kind === "standalone") return { database: toDatabase(path) };
  if (first === "") refuse("needs the master's name after the Sentinels: …host:port/master-name");
  return { master: decode(first), database: toDatabase(others.join("/")) };
}

function toDatabase(text: string): number {
  if (text === "") return 0;
  if (!DATABASE.test(text)) refuse("must name its database by a number, such as /0");
  return Number(text);
}

function toSentinelCredentials(query: string, kind: RedisAddress["kind"]): Partial<RedisAddress> {
  const { sentinelUsername, sentinelPassword, ...others } = Object.fromEntries(new URLSearchParams(query));
  if (Object.keys(others).length > 0 || (query !== "" && kind !== "sentinel")) {
    refuse("takes no parameters but sentinelUsername and sentinelPassword, and those only with Sentinels");
  }
  return {
    ...(sentinelUsername === undefined ? {} : { sentinelUsername }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return refuse("has a % that begins no percent-encoded character");
  }
}

function refuse(rule: string): never {
  throw new InvalidInputError(rule);
}
