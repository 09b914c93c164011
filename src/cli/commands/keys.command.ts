import type { Command } from "commander";
import { UsageError } from "../command-failure.js";
import type { CliCommand, CliContext, CommandResult } from "../command.js";
import { grantList, roleList } from "../credential-options.js";
import type { ApiKey, Grant } from "../key-operations.js";
import { count, integer } from "../option-parsers.js";

export interface KeysOptions {
  name?: string;
  roles?: string[];
  grants?: Grant[];
  days?: number;
  overlapDays?: number;
  limit: number;
}

export const keys: CliCommand<KeysOptions> = {
  usage: "keys <action> [id]",
  summary: "Create, rotate, revoke or list API keys.",
  examples: [
    "254carbon keys create --name loader --roles ENGINEER --days 30",
    `254carbon keys create --name power --roles ENGINEER --grants '[{"permission":"model:promote","modelPattern":"power-*","stage":"STAGING"}]'`,
    "254carbon keys rotate QXBpS2V5OmEx --overlap-days 1",
    "254carbon keys revoke QXBpS2V5OmEx",
    "254carbon keys list --json",
  ],
  configure(command: Command) {
    command
      .option("--name <name>", "create: what people call it")
      .option("--roles <roles>", "create: roles, separated by commas", roleList)
      .option("--grants <json>", "create: grants that narrow the roles", grantList)
      .option("--days <number>", "create: days that it is good, 1 to 90 (default: 90)", count)
      .option("--overlap-days <number>", "rotate: days that the old key still works (default: 7)", integer)
      .option("--limit <number>", "list: at most so many, newest first", count, 20);
  },
  run(context, options, [action, id]) {
    if (action === "list") return list(context, options);
    if (action === "create") return create(context, options);
    if (action === "rotate") return rotate(context, options, requireId(id));
    if (action === "revoke") return revoke(context, requireId(id));
    throw new UsageError(`"${action}" is none of create, rotate, revoke and list`);
  },
};

function requireId(id: string | undefined): string {
  if (id === undefined) throw new UsageError("the id of a key is needed; keys list shows it");
  return id;
}

async function list({ graph, terminal }: CliContext, { limit }: KeysOptions): Promise<CommandResult> {
  const { apiKeys } = await graph.execute("api-keys", { first: limit });
  const found = apiKeys.edges.map(({ node }) => node);
  const rows = found.map((key) => [
    ...[key.id, key.name, key.roles.join(","), key.grants.length === 0 ? "no" : "yes", key.createdBy],
    ...[key.revokedAt === null ? key.expiresAt : `revoked ${key.revokedAt}`, key.lastUsedAt],
  ]);
  const head = ["key", "name", "roles", "narrowed", "by", "ends", "last used"];
  return { data: found, text: terminal.table(head, rows) };
}

async function create({ graph, terminal }: CliContext, options: KeysOptions): Promise<CommandResult> {
  const { name, roles, grants, days: expiresInDays } = options;
  if (name === undefined || roles === undefined) throw new UsageError("create needs --name and --roles");
  const { createApiKey: made } = await graph.execute("create-api-key", {
    input: { name, roles, grants, expiresInDays },
  });
  terminal.note(tellOnce(made.key));
  return { data: made, text: made.secret };
}

async function rotate(
  { graph, terminal }: CliContext,
  { overlapDays }: KeysOptions,
  id: string,
): Promise<CommandResult> {
  const { rotateApiKey: made } = await graph.execute("rotate-api-key", { input: { id, overlapDays } });
  terminal.note(tellOnce(made.key));
  return { data: made, text: made.secret };
}

async function revoke({ graph }: CliContext, id: string): Promise<CommandResult> {
  const { revokeApiKey: revoked } = await graph.execute("revoke-api-key", { input: { id } });
  return {
    data: revoked,
    text: `${revoked.key.name} (${revoked.key.id}) was revoked at ${revoked.key.revokedAt}`,
  };
}

/** On standard error, so that a pipe sees the key alone. */
function tellOnce({ id, name, expiresAt }: ApiKey): string {
  return `${name} (${id}), good until ${expiresAt}. The key is shown this once:`;
}
