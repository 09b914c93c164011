import { parseArgs } from "node:util";
import { readAuditSecrets } from "../audit-secrets.js";
import { AuditVerifier, openHeadArchive } from "../modules/audit/index.js";
import { assertEmbeddedThere } from "./assert-embedded-there.js";
import type { OfflineCommand } from "./offline-command.js";
import { withEngines } from "./with-engines.js";

/** audit-verify [--from <instant>] */
export const auditVerifyCommand: OfflineCommand = async (context, args) => {
  const { values } = parseArgs({ args, options: { from: { type: "string" } } });
  const { config } = context;
  await assertEmbeddedThere(config);
  const secrets = () => readAuditSecrets(config);
  return withEngines(context, ({ database, archive }) => {
    const heads = openHeadArchive({ archive, secrets, headMs: config.audit.headMs });
    const verifier = new AuditVerifier(database, heads, config.retention.auditDays);
    return verifier.verify(values.from === undefined ? undefined : new Date(values.from));
  });
};
