import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryGeneratedColumn, Unique } from "typeorm";
import type { Relation } from "typeorm";
import { CollectionRow } from "./collection.entity.js";

@Entity("documents")
@Unique("documents_key_key", ["collectionId", "key"])
@Index("documents_by_publication", ["collectionId", "publishedAt"])
@Index("documents_by_metadata", { synchronize: false })
export class DocumentRow {
  /** In the order in which documents came in. */
  @PrimaryGeneratedColumn("identity", {
    type: "bigint",
    generatedIdentity: "ALWAYS",
    primaryKeyConstraintName: "documents_pkey",
  })
  id!: string;

  @Column({ name: "collection_id", type: "integer" })
  collectionId!: number;

  /** The caller's own. */
  @Column({ type: "text" })
  key!: string;

  @Column({ type: "text", nullable: true })
  title!: string | null;

  @Column({ type: "text" })
  text!: string;

  @Column({ type: "jsonb", default: () => "'{}'" })
  metadata!: Record<string, unknown>;

  @Column({ name: "published_at", type: "timestamptz", precision: 3, nullable: true })
  publishedAt!: Date | null;

  /** Of title, text, metadata and date: tells whether a document that comes again has changed. */
  @Column({ type: "text" })
  digest!: string;

  /** Grows with every change of title or text, so that an embedding of an older one is never written. */
  @Column({ type: "integer", default: 1 })
  revision!: number;

  @Column({ name: "word_count", type: "integer" })
  wordCount!: number;

  @Column({ name: "created_at", type: "timestamptz", precision: 3, default: () => "now()" })
  createdAt!: Date;

  @Column({ name: "updated_at", type: "timestamptz", precision: 3, default: () => "now()" })
  updatedAt!: Date;

  @ManyToOne(() => CollectionRow)
  @JoinColumn({ name: "collection_id", foreignKeyConstraintName: "documents_collection_fkey" })
  collection?: Relation<CollectionRow>;
}
