import type { Transaction } from "../../ports/database.js";
import type { Page, PageRequest } from "../../shared/pagination.js";
import { newestFirst } from "../operations/index.js";
import { ApiKeyRow } from "./api-key.entity.js";

/** Woken with the id of a key that has changed. */
export const API_KEY_CHANNEL = "api_keys";

export interface ApiKeyExpiry {
  /** Keys that end within the days asked for. */
  soon: number;
  /** When the next one ends; null where there is none. */
  next: Date | null;
}

const LIVE = "revoked_at IS NULL AND expires_at > clock_timestamp()";

/** API keys as rows. */
export class ApiKeyRepository {
  constructor(private readonly tx: Transaction) {}

  async insert(key: ApiKeyRow): Promise<void> {
    await this.tx.insert(ApiKeyRow, key as never);
  }

  find(id: string): Promise<ApiKeyRow | null> {
    return this.tx.findOneBy(ApiKeyRow, { id });
  }

  lock(id: string): Promise<ApiKeyRow | null> {
    return this.tx.findOne(ApiKeyRow, { where: { id }, lock: { mode: "pessimistic_write" } });
  }

  /** Changes it, and tells every process once the transaction commits. */
  async update(key: ApiKeyRow, changes: Partial<ApiKeyRow>): Promise<void> {
    Object.assign(key, changes);
    await this.tx.update(ApiKeyRow, key.id, changes as never);
    await this.tx.query("SELECT pg_notify($1, $2)", [API_KEY_CHANNEL, key.id]);
  }

  /** Does nothing when somebody else was faster. */
  async replaceDigest({ id, digest }: ApiKeyRow, by: string): Promise<void> {
    await this.tx.update(ApiKeyRow, { id, digest }, { digest: by });
  }

  async noteUses(uses: ReadonlyMap<string, Date>): Promise<void> {
    await this.tx.query(
      `UPDATE api_keys SET last_used_at = greatest(last_used_at, used.at)
       FROM unnest($1::uuid[], $2::timestamptz[]) AS used (id, at) WHERE api_keys.id = used.id`,
      [[...uses.keys()], [...uses.values()]],
    );
  }

  async list(page: PageRequest): Promise<Page<ApiKeyRow>> {
    return newestFirst(this.tx.createQueryBuilder(ApiKeyRow, "key"), page, "createdAt");
  }

  async expiry(soonDays: number): Promise<ApiKeyExpiry> {
    const [found] = await this.tx.query<ApiKeyExpiry[]>(
      `SELECT count(*) FILTER (WHERE expires_at < clock_timestamp() + make_interval(days => $1))::int AS soon,
         min(expires_at) AS next
       FROM api_keys WHERE ${LIVE}`,
      [soonDays],
    );
    return found!;
  }

  /** Keys that end within so many days, the next first. */
  ending(soonDays: number): Promise<{ id: string; expiresAt: Date }[]> {
    return this.tx.query(
      `SELECT id, expires_at AS "expiresAt" FROM api_keys
       WHERE ${LIVE} AND expires_at < clock_timestamp() + make_interval(days => $1) ORDER BY expires_at`,
      [soonDays],
    );
  }
}
