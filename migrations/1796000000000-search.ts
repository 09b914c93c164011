import type { MigrationInterface, QueryRunner } from "typeorm";

/** Collections of documents, their lexical index, and the embedder indexes that search by meaning. */
export class Search1796000000000 implements MigrationInterface {
  readonly name = "Search1796000000000";

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [COLLECTIONS, DOCUMENTS, INDEXES, COLUMNS]) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE training_runs DROP COLUMN collection_id;
      ALTER TABLE model_versions DROP COLUMN embedder;
      DROP SCHEMA vectors CASCADE;
      DROP TABLE pending_embeddings, search_indexes, postings, metadata_keys, documents, collections;
      DROP EXTENSION vector`);
  }
}

const COLLECTIONS = `
  CREATE TABLE collections (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT collections_pkey PRIMARY KEY,
    name text NOT NULL CONSTRAINT collections_name_key UNIQUE,
    language text NOT NULL,
    embedder_model_id uuid CONSTRAINT collections_embedder_fkey REFERENCES models (id),
    serving_index_id integer,
    reindex_job_id uuid,
    generation bigint NOT NULL DEFAULT 0,
    document_count integer NOT NULL DEFAULT 0,
    word_count bigint NOT NULL DEFAULT 0,
    created_by text NOT NULL,
    created_at timestamptz(3) NOT NULL DEFAULT now()
  );
  CREATE INDEX collections_by_embedder ON collections (embedder_model_id)`;

/** Postings go by the hundred with each document: their repository keeps them in step, a foreign key costs a third more. */
const DOCUMENTS = `
  CREATE TABLE documents (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT documents_pkey PRIMARY KEY,
    collection_id integer NOT NULL CONSTRAINT documents_collection_fkey REFERENCES collections (id),
    key text NOT NULL,
    title text,
    text text NOT NULL,
    metadata jsonb NOT NULL DEFAULT '{}',
    published_at timestamptz(3),
    digest text NOT NULL,
    revision integer NOT NULL DEFAULT 1,
    word_count integer NOT NULL,
    created_at timestamptz(3) NOT NULL DEFAULT now(),
    updated_at timestamptz(3) NOT NULL DEFAULT now(),
    CONSTRAINT documents_key_key UNIQUE (collection_id, key)
  );
  CREATE INDEX documents_by_publication ON documents (collection_id, published_at);
  CREATE INDEX documents_by_metadata ON documents USING gin (metadata jsonb_path_ops);

  CREATE TABLE metadata_keys (
    collection_id integer NOT NULL CONSTRAINT metadata_keys_collection_fkey REFERENCES collections (id),
    key text NOT NULL,
    document_count integer NOT NULL,
    CONSTRAINT metadata_keys_pkey PRIMARY KEY (collection_id, key)
  );

  CREATE TABLE postings (
    collection_id integer NOT NULL,
    lexeme text COLLATE "C" NOT NULL,
    document_id bigint NOT NULL,
    frequency smallint NOT NULL,
    document_length integer NOT NULL,
    CONSTRAINT postings_pkey PRIMARY KEY (collection_id, lexeme, document_id) INCLUDE (frequency, document_length)
  );
  CREATE INDEX postings_by_document ON postings (document_id)`;

/** The vectors of an index lie in a table of its own, vectors.passages_<id>: an HNSW index needs their width. */
const INDEXES = `
  CREATE EXTENSION IF NOT EXISTS vector;
  CREATE SCHEMA vectors;

  CREATE TABLE search_indexes (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT search_indexes_pkey PRIMARY KEY,
    collection_id integer NOT NULL CONSTRAINT search_indexes_collection_fkey REFERENCES collections (id),
    version_id uuid NOT NULL CONSTRAINT search_indexes_version_fkey REFERENCES model_versions (id),
    dimensions integer NOT NULL,
    vector_type text NOT NULL,
    state text NOT NULL,
    job_id uuid,
    filled_to bigint,
    recall double precision,
    ef_search integer,
    hnsw_job_id uuid,
    created_at timestamptz(3) NOT NULL DEFAULT now(),
    served_at timestamptz(3),
    retired_at timestamptz(3)
  );
  CREATE INDEX search_indexes_by_collection ON search_indexes (collection_id);

  CREATE TABLE pending_embeddings (
    index_id integer NOT NULL
      CONSTRAINT pending_embeddings_index_fkey REFERENCES search_indexes (id) ON DELETE CASCADE,
    document_id bigint NOT NULL
      CONSTRAINT pending_embeddings_document_fkey REFERENCES documents (id) ON DELETE CASCADE,
    job_id uuid NOT NULL,
    CONSTRAINT pending_embeddings_pkey PRIMARY KEY (index_id, document_id)
  );
  CREATE INDEX pending_embeddings_by_job ON pending_embeddings (job_id, index_id, document_id);
  CREATE INDEX pending_embeddings_by_document ON pending_embeddings (document_id)`;

const COLUMNS = `
  ALTER TABLE model_versions ADD COLUMN embedder jsonb;
  ALTER TABLE training_runs ADD COLUMN collection_id integer`;
