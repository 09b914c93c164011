import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryGeneratedColumn } from "typeorm";
import type { Relation } from "typeorm";
import { ModelVersionRow } from "../models/index.js";
import { CollectionRow } from "./collection.entity.js";

/**
 * BUILDING: a shadow that its reindex job fills; SERVING: answers searches; KEPT: served before, still
 * embedded into for an instant way back. All of these get every document that comes in. DISCARDED: its table is
 * dropped as soon as nobody reads it any more.
 */
export type SearchIndexState = "BUILDING" | "SERVING" | "KEPT" | "DISCARDED";

/** float32, or float16 in half the room where an HNSW index is searched rather than every row. */
export type VectorType = "vector" | "halfvec";

/** The vectors of one collection by one embedder version; they lie in `vectors.passages_<id>`. */
@Entity("search_indexes")
@Index("search_indexes_by_collection", ["collectionId"])
export class SearchIndexRow {
  @PrimaryGeneratedColumn("identity", {
    type: "integer",
    generatedIdentity: "ALWAYS",
    primaryKeyConstraintName: "search_indexes_pkey",
  })
  id!: number;

  @Column({ name: "collection_id", type: "integer" })
  collectionId!: number;

  @Column({ name: "version_id", type: "uuid" })
  versionId!: string;

  @Column({ type: "integer" })
  dimensions!: number;

  /** Of the column that holds the vectors. */
  @Column({ name: "vector_type", type: "text" })
  vectorType!: VectorType;

  @Column({ type: "text" })
  state!: SearchIndexState;

  /** The reindex that builds it, or built it. */
  @Column({ name: "job_id", type: "uuid", nullable: true })
  jobId!: string | null;

  /** BUILDING: documents up to this id have been noted as pending; null: all have. */
  @Column({ name: "filled_to", type: "bigint", nullable: true })
  filledTo!: string | null;

  /** Share of the ten nearest by exact search that the index finds, as probed before it served. */
  @Column({ type: "double precision", nullable: true })
  recall!: number | null;

  /** hnsw.ef_search at which that recall was reached: searches use no less. Null: searched row by row. */
  @Column({ name: "ef_search", type: "integer", nullable: true })
  efSearch!: number | null;

  /** Builds the HNSW index of one that has grown while it served. */
  @Column({ name: "hnsw_job_id", type: "uuid", nullable: true })
  hnswJobId!: string | null;

  @Column({ name: "created_at", type: "timestamptz", precision: 3, default: () => "now()" })
  createdAt!: Date;

  @Column({ name: "served_at", type: "timestamptz", precision: 3, nullable: true })
  servedAt!: Date | null;

  @Column({ name: "retired_at", type: "timestamptz", precision: 3, nullable: true })
  retiredAt!: Date | null;

  @ManyToOne(() => CollectionRow)
  @JoinColumn({ name: "collection_id", foreignKeyConstraintName: "search_indexes_collection_fkey" })
  collection?: Relation<CollectionRow>;

  @ManyToOne(() => ModelVersionRow)
  @JoinColumn({ name: "version_id", foreignKeyConstraintName: "search_indexes_version_fkey" })
  version?: Relation<ModelVersionRow>;
}
