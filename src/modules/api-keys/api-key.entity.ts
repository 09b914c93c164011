import { Column, Entity, Index, PrimaryColumn } from "typeorm";
import type { Grant, Role } from "../identity/index.js";

/** A key that a program calls with. The secret itself is nowhere. */
@Entity("api_keys")
@Index("api_keys_by_time", ["createdAt", "id"])
export class ApiKeyRow {
  @PrimaryColumn({ type: "uuid", primaryKeyConstraintName: "api_keys_pkey" })
  id!: string;

  @Column({ type: "text" })
  name!: string;

  /** HMAC-SHA256 of the whole key under a pepper that the database does not have, hex. */
  @Column({ type: "text" })
  digest!: string;

  @Column({ type: "jsonb" })
  roles!: Role[];

  @Column({ type: "jsonb" })
  grants!: Grant[];

  /** What it was made for; a rotation gives as many again. */
  @Column({ name: "lifetime_days", type: "integer" })
  lifetimeDays!: number;

  /** The person who was told the secret. */
  @Column({ name: "created_by", type: "text" })
  createdBy!: string;

  @Column({ name: "created_at", type: "timestamptz", precision: 3 })
  createdAt!: Date;

  @Column({ name: "expires_at", type: "timestamptz", precision: 3 })
  expiresAt!: Date;

  /** To the minute or so. */
  @Column({ name: "last_used_at", type: "timestamptz", precision: 3, nullable: true })
  lastUsedAt!: Date | null;

  @Column({ name: "revoked_at", type: "timestamptz", precision: 3, nullable: true })
  revokedAt!: Date | null;
}
