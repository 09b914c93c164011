import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryGeneratedColumn, Unique } from "typeorm";
import type { Relation } from "typeorm";
import { ModelRow } from "../models/index.js";

const asNumber = { from: Number, to: (value: number) => value };

/** Documents that are searched together, in one language and by one embedder. */
@Entity("collections")
@Unique("collections_name_key", ["name"])
@Index("collections_by_embedder", ["embedderModelId"])
export class CollectionRow {
  @PrimaryGeneratedColumn("identity", {
    type: "integer",
    generatedIdentity: "ALWAYS",
    primaryKeyConstraintName: "collections_pkey",
  })
  id!: number;

  @Column({ type: "text" })
  name!: string;

  /** A text search configuration of PostgreSQL. */
  @Column({ type: "text" })
  language!: string;

  /** The model whose production version embeds it; without one, search knows words only. */
  @Column({ name: "embedder_model_id", type: "uuid", nullable: true })
  embedderModelId!: string | null;

  /** The index that answers searches by meaning; during a reindex still the old one. */
  @Column({ name: "serving_index_id", type: "integer", nullable: true })
  servingIndexId!: number | null;

  /** The last reindex, under way or ended. */
  @Column({ name: "reindex_job_id", type: "uuid", nullable: true })
  reindexJobId!: string | null;

  /** Grows in every transaction after which a search may answer otherwise. */
  @Column({ type: "bigint", default: 0, transformer: asNumber })
  generation!: number;

  @Column({ name: "document_count", type: "integer", default: 0 })
  documentCount!: number;

  /** Words of all documents together, as the lexical index counts them. */
  @Column({ name: "word_count", type: "bigint", default: 0, transformer: asNumber })
  wordCount!: number;

  @Column({ name: "created_by", type: "text" })
  createdBy!: string;

  @Column({ name: "created_at", type: "timestamptz", precision: 3, default: () => "now()" })
  createdAt!: Date;

  @ManyToOne(() => ModelRow)
  @JoinColumn({ name: "embedder_model_id", foreignKeyConstraintName: "collections_embedder_fkey" })
  embedderModel?: Relation<ModelRow>;
}
