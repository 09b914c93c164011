import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

type Fields = Record<string, string>;

export interface VaultStub {
  address: string;
  token: string;
  /** Fields of the newest version, by path below the store's mount. */
  secrets: Map<string, Fields[]>;
  mounts: Map<string, { type: string; options?: { version?: string } }>;
  logins: Set<string>;
  policies: Map<string, { path: Record<string, { capabilities: string[] }> }>;
  /** What was written, `METHOD path`, in order. */
  writes: string[];
  /** Writes of this path are refused from now on: somebody else was quicker. */
  refuse(path: string | undefined): void;
  close(): Promise<void>;
}

/** What the scripts use of the HTTP API that Vault and OpenBao share. */
export async function startVaultStub(): Promise<VaultStub> {
  const token = "root-token-of-the-tests";
  const secrets: VaultStub["secrets"] = new Map();
  const mounts: VaultStub["mounts"] = new Map([["sys/", { type: "system" }]]);
  const logins: VaultStub["logins"] = new Set(["token/"]);
  const policies: VaultStub["policies"] = new Map();
  const writes: string[] = [];
  let refused: string | undefined;

  const answer = (method: string, path: string, body: unknown): [status: number, answer?: unknown] => {
    if (method !== "GET") writes.push(`${method} ${path}`);
    if (path === "sys/mounts") return [200, { data: Object.fromEntries(mounts) }];
    if (path === "sys/auth")
      return [200, { data: Object.fromEntries([...logins].map((each) => [each, {}])) }];
    const [, kind, rest = ""] =
      /^(sys\/mounts|sys\/auth|sys\/policies\/acl|auth|secret\/data)\/(.+)$/.exec(path) ?? [];
    const listed = /^secret\/metadata\/(.*)\?list=true$/.exec(path);
    if (listed) return list(listed[1]!);
    if (kind === "sys/mounts") mounts.set(`${rest}/`, body as { type: string });
    else if (kind === "sys/auth") logins.add(`${rest}/`);
    else if (kind === "sys/policies/acl")
      policies.set(rest, JSON.parse((body as { policy: string }).policy) as never);
    else if (kind === "secret/data") return method === "GET" ? read(rest) : write(rest, body as never);
    else if (kind !== "auth") return [404, { errors: ["no handler"] }];
    return [204];
  };
  const read = (name: string): [number, unknown] => {
    const versions = secrets.get(name);
    if (!versions) return [404, { errors: [] }];
    return [200, { data: { data: versions.at(-1), metadata: { version: versions.length } } }];
  };
  const list = (folder: string): [number, unknown] => {
    const below = [...secrets.keys()].filter((name) => name.startsWith(folder));
    const keys = below.map((name) => /^[^/]+\/?/.exec(name.slice(folder.length))![0]);
    return keys.length === 0 ? [404, { errors: [] }] : [200, { data: { keys: [...new Set(keys)] } }];
  };
  const write = (
    name: string,
    { options, data }: { options: { cas: number }; data: Fields },
  ): [number, unknown] => {
    if (!mounts.has("secret/")) return [404, { errors: ["no handler"] }];
    const versions = secrets.get(name) ?? [];
    if (options.cas !== versions.length || name === refused) {
      return [400, { errors: ["check-and-set parameter did not match the current version"] }];
    }
    secrets.set(name, [...versions, data]);
    return [200, { data: { version: versions.length + 1 } }];
  };

  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const known = request.headers["x-vault-token"] === token;
      const [status, content] = known
        ? answer(request.method!, decodeURIComponent(request.url!.replace("/v1/", "")), body)
        : [403, { errors: ["permission denied"] }];
      response.writeHead(status, { "content-type": "application/json" });
      response.end(content === undefined ? "" : JSON.stringify(content));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ...{ token, secrets, mounts, logins, policies, writes },
    refuse: (path) => (refused = path),
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const chunk of request as AsyncIterable<Buffer>) text += chunk.toString();
  return text === "" ? undefined : JSON.parse(text);
}
