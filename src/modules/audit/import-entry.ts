import { randomUUID } from "node:crypto";
import type { Transaction } from "../../ports/database.js";
import { AuditEntryRepository } from "./audit-entry.repository.js";
import { SealRepository } from "./seal.repository.js";

/** Enters that all before was brought in from elsewhere: only the heads of that place vouch for it. */
export async function enterImport(tx: Transaction): Promise<void> {
  const last = await new SealRepository(tx).last();
  const imported = last && { lastSeal: String(last.number), digest: last.digest };
  const detail = { imported: imported ?? "no seal" };
  const about = { actor: "offline", action: "import", target: "platform", outcome: "OK" };
  await new AuditEntryRepository(tx).append([{ ...about, requestId: randomUUID(), detail }]);
}
