import type { Command } from "commander";
import { SignJWT } from "jose";
import { UsageError } from "../command-failure.js";
import type { CliCommand } from "../command.js";
import { duration, grantList, roleList } from "../credential-options.js";
import { readSigning } from "../environment.js";
import type { Grant } from "../key-operations.js";

export interface TokenOptions {
  subject: string;
  roles: string[];
  grants?: Grant[];
  expires: number;
}

export const token: CliCommand<TokenOptions> = {
  usage: "token",
  summary: "Make a token by ML_JWT_SECRET_KEY of this shell; no platform is asked.",
  examples: [
    "254carbon token --subject ann --roles ENGINEER",
    "ML_TOKEN=$(254carbon token --subject ann --roles VIEWER,OPERATOR --expires 12h) 254carbon jobs",
  ],
  configure(command: Command) {
    command
      .requiredOption("--subject <name>", "who it speaks for")
      .requiredOption("--roles <roles>", "roles, separated by commas", roleList)
      .option("--grants <json>", "grants that narrow the roles", grantList)
      .option(
        "--expires <time>",
        "how long it is good, such as 30m, 12h or 7d (default: 1h)",
        duration,
        3_600,
      );
  },
  async run(_context, { subject, roles, grants, expires }) {
    const { secret, issuer, audience } = readSigning();
    if (secret === undefined) throw new UsageError("ML_JWT_SECRET_KEY is needed to sign with");
    const now = Math.floor(Date.now() / 1000);
    const made = await new SignJWT({ roles, ...(grants ? { grants } : {}) })
      .setProtectedHeader({ alg: "HS256", typ: "JWT" })
      .setSubject(subject)
      .setIssuer(issuer)
      .setAudience(audience)
      .setIssuedAt(now)
      .setExpirationTime(now + expires)
      .sign(new TextEncoder().encode(secret));
    return { data: { token: made, expiresAt: new Date((now + expires) * 1000).toISOString() }, text: made };
  },
};
