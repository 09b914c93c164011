import { LRUCache } from "lru-cache";
import type { Database } from "../../ports/database.js";
import { UnauthenticatedError } from "../../shared/errors.js";
import type { Logger } from "../../telemetry/logger.js";
import type { Identity, KeyCredentials } from "../identity/index.js";
import type { ApiKeyRow } from "./api-key.entity.js";
import { API_KEY_CHANNEL, ApiKeyRepository } from "./api-key.repository.js";
import type { ApiKeyDigests } from "./api-key-digests.js";
import { parseKey } from "./api-key-format.rules.js";

const KEYS_REMEMBERED = 10_000;
/** A revocation that was not heard of is noticed after this. */
const REMEMBERED_MS = 30_000;
/** Between two notes of when a key was used. */
const USE_NOTED_MS = 60_000;
/** Uses are written together, behind the requests. */
const WRITTEN_AFTER_MS = 1_000;

/** Tells who calls with an API key, from memory: revocations are heard of, and keys are looked up again soon. */
export class ApiKeyCredentials implements KeyCredentials {
  private readonly known = new LRUCache<string, ApiKeyRow>({ max: KEYS_REMEMBERED, ttl: REMEMBERED_MS });
  private readonly noted = new LRUCache<string, true>({ max: KEYS_REMEMBERED, ttl: USE_NOTED_MS });
  /** Changes of keys that were heard of. */
  private changes = 0;
  private uses = new Map<string, Date>();
  private writing?: NodeJS.Timeout;
  private stopListening?: () => Promise<void>;

  constructor(
    private readonly database: Database,
    private readonly digests: ApiKeyDigests,
    private readonly logger: Logger,
  ) {}

  async start(): Promise<void> {
    this.stopListening = await this.database.listen(API_KEY_CHANNEL, (id) => {
      this.changes++;
      if (id === "") this.known.clear();
      else this.known.delete(id);
    });
  }

  async authenticate(key: string): Promise<Identity> {
    const id = parseKey(key)?.id;
    if (id === undefined) throw new UnauthenticatedError("the API key was mistyped or cut short");
    const row = await this.look(id);
    const match = row && this.digests.compare(key, row.digest);
    if (!row || !match) throw new UnauthenticatedError("the API key is not valid");
    if (row.revokedAt !== null) throw new UnauthenticatedError("the API key has been revoked");
    if (hasEnded(row)) throw new UnauthenticatedError("the API key has expired");
    if (match.renewed !== undefined) this.renew(row, match.renewed);
    this.noteUse(id);
    const { name, roles, grants, createdBy: person, expiresAt } = row;
    const caller = { subject: `key:${id}`, name, roles, person, ...(grants.length > 0 ? { grants } : {}) };
    return { caller, expiresAt, apiKey: id };
  }

  /** Writes what is still to be written. */
  async close(): Promise<void> {
    await this.stopListening?.();
    clearTimeout(this.writing);
    await this.writeUses();
  }

  private async look(id: string): Promise<ApiKeyRow | null> {
    const known = this.known.get(id);
    if (known) return known;
    const { changes } = this;
    const row = await this.rows().find(id);
    // One that was read before a revocation must not be remembered after it was heard of.
    if (row && changes === this.changes) this.known.set(id, row);
    return row;
  }

  private renew(row: ApiKeyRow, digest: string): void {
    this.rows()
      .replaceDigest(row, digest)
      .then(
        () => this.known.delete(row.id),
        (err: unknown) =>
          this.logger.warn({ event: "api_key.not_renewed", err }, "an API key keeps its old digest"),
      );
  }

  private noteUse(id: string): void {
    if (this.noted.has(id)) return;
    this.noted.set(id, true);
    this.uses.set(id, new Date());
    this.writing ??= setTimeout(() => void this.writeUses(), WRITTEN_AFTER_MS).unref();
  }

  private async writeUses(): Promise<void> {
    this.writing = undefined;
    const { uses } = this;
    if (uses.size === 0) return;
    this.uses = new Map();
    await this.rows()
      .noteUses(uses)
      .catch((err: unknown) =>
        this.logger.warn({ event: "api_key.use_not_noted", err }, "uses of API keys could not be noted"),
      );
  }

  private rows(): ApiKeyRepository {
    return new ApiKeyRepository(this.database.dataSource.manager);
  }
}

function hasEnded({ expiresAt }: ApiKeyRow): boolean {
  return expiresAt.getTime() <= Date.now();
}
