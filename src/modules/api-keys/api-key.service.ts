import { randomBytes, randomUUID } from "node:crypto";
import type { Database, Transaction } from "../../ports/database.js";
import { ForbiddenError, NotFoundError, PreconditionFailedError } from "../../shared/errors.js";
import type { Page, PageRequest } from "../../shared/pagination.js";
import { reportApiKeyEnding } from "../../telemetry/events.js";
import { noteAudited } from "../audit/index.js";
import { mayGive, parseGrants, personOf } from "../identity/index.js";
import type { Caller, Role } from "../identity/index.js";
import type { ApiKeyRow } from "./api-key.entity.js";
import { ApiKeyRepository } from "./api-key.repository.js";
import type { ApiKeyExpiry } from "./api-key.repository.js";
import type { ApiKeyDigests } from "./api-key-digests.js";
import { formatKey } from "./api-key-format.rules.js";
import {
  MOST_DAYS,
  assertKeyName,
  assertKeyRoles,
  assertLifetime,
  assertNotNarrowed,
  assertOverlap,
} from "./api-key-input.rules.js";

export interface ApiKeyRequest {
  name: string;
  roles: Role[];
  grants?: unknown;
  expiresInDays?: number | null;
}

export interface RotationRequest {
  id: string;
  overlapDays?: number | null;
}

/** The key's row, and the key itself: told this once. */
export interface NewApiKey {
  key: ApiKeyRow;
  secret: string;
}

const SECRET_BYTES = 32;
const DAY_MS = 86_400_000;
const OVERLAP_DAYS = 7;
/** Keys that end within so many days are warned of. */
const SOON_DAYS = 14;

/** Makes, rotates and revokes API keys. */
export class ApiKeyService {
  constructor(
    private readonly database: Database,
    private readonly digests: ApiKeyDigests,
  ) {}

  /** @throws {ForbiddenError} when the caller lacks one of the roles, or is narrowed by grants */
  async create(request: ApiKeyRequest, caller: Caller): Promise<NewApiKey> {
    const { name, roles } = request;
    const lifetimeDays = request.expiresInDays ?? MOST_DAYS;
    assertNotNarrowed(caller);
    assertKeyName(name);
    assertKeyRoles(roles);
    assertLifetime(lifetimeDays);
    assertMayGive(roles, caller);
    const grants = parseGrants(request.grants, "input.grants");
    return this.database.transaction((tx) => this.insert(tx, { name, roles, grants, lifetimeDays }, caller));
  }

  /**
   * Makes another key like it; the old one ends after the overlap, or earlier where it would have anyway.
   * @throws {PreconditionFailedError} when it has ended already
   */
  async rotate(request: RotationRequest, caller: Caller): Promise<NewApiKey> {
    const overlapDays = request.overlapDays ?? OVERLAP_DAYS;
    assertNotNarrowed(caller);
    assertOverlap(overlapDays);
    return this.database.transaction(async (tx) => {
      const old = await this.lock(tx, request.id);
      if (old.revokedAt !== null) throw new PreconditionFailedError("the key was revoked");
      if (old.expiresAt.getTime() <= Date.now()) throw new PreconditionFailedError("the key has expired");
      assertMayGive(old.roles, caller);
      const { name, roles, grants, lifetimeDays } = old;
      const rotated = await this.insert(tx, { name, roles, grants, lifetimeDays }, caller);
      const end = Math.min(old.expiresAt.getTime(), Date.now() + overlapDays * DAY_MS);
      await new ApiKeyRepository(tx).update(old, { expiresAt: new Date(end) });
      return rotated;
    });
  }

  /** Ends it for good; again changes nothing. */
  async revoke(id: string): Promise<ApiKeyRow> {
    return this.database.transaction(async (tx) => {
      const key = await this.lock(tx, id);
      if (key.revokedAt === null) await new ApiKeyRepository(tx).update(key, { revokedAt: new Date() });
      return key;
    });
  }

  list(page: PageRequest): Promise<Page<ApiKeyRow>> {
    return this.rows().list(page);
  }

  find(id: string): Promise<ApiKeyRow | null> {
    return this.rows().find(id);
  }

  expiry(): Promise<ApiKeyExpiry> {
    return this.rows().expiry(SOON_DAYS);
  }

  /** Tells the operators, by the log, which keys end soon. */
  async warnOfExpiry(): Promise<void> {
    for (const { id, expiresAt } of await this.rows().ending(SOON_DAYS)) {
      reportApiKeyEnding({ apiKey: id, seconds: Math.round((expiresAt.getTime() - Date.now()) / 1000) });
    }
  }

  private async insert(
    tx: Transaction,
    wanted: Pick<ApiKeyRow, "name" | "roles" | "grants" | "lifetimeDays">,
    caller: Caller,
  ): Promise<NewApiKey> {
    const id = randomUUID();
    const secret = formatKey(id, randomBytes(SECRET_BYTES));
    const createdAt = new Date();
    const key: ApiKeyRow = {
      ...{ id, ...wanted, digest: this.digests.digestOf(secret), createdBy: personOf(caller), createdAt },
      expiresAt: new Date(createdAt.getTime() + wanted.lifetimeDays * DAY_MS),
      ...{ lastUsedAt: null, revokedAt: null },
    };
    await new ApiKeyRepository(tx).insert(key);
    noteAudited({ apiKey: id });
    return { key, secret };
  }

  private async lock(tx: Transaction, id: string): Promise<ApiKeyRow> {
    const key = await new ApiKeyRepository(tx).lock(id);
    if (!key) throw new NotFoundError("input.id: no such ApiKey", { field: "input.id" });
    return key;
  }

  private rows(): ApiKeyRepository {
    return new ApiKeyRepository(this.database.dataSource.manager);
  }
}

/** @throws {ForbiddenError} for a role that could do what the caller may not */
function assertMayGive(roles: readonly Role[], caller: Caller): void {
  const lacking = roles.find((role) => !mayGive(caller.roles, role));
  if (lacking !== undefined) throw new ForbiddenError(`you may not give the role ${lacking}: you lack it`);
}
