import type { MigrationInterface, QueryRunner } from "typeorm";

/** Jobs, events, curves, the model registry, training runs and the inference log. */
export class Foundation1795000000000 implements MigrationInterface {
  readonly name = "Foundation1795000000000";

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [OPERATIONS, CURVES, MODELS, TRAINING, INFERENCE, APPEND_ONLY]) {
      await runner.query(statement);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE inference_records, training_runs, stage_transitions, model_versions, models,
        curve_snapshots, curves, outbox_events, jobs, idempotency_keys;
      DROP FUNCTION refuse_change`);
  }
}

const OPERATIONS = `
  CREATE TABLE idempotency_keys (
    caller text NOT NULL,
    operation text NOT NULL,
    key text NOT NULL,
    body_sha256 text NOT NULL,
    outcome jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (caller, operation, key)
  );

  CREATE TABLE jobs (
    id uuid NOT NULL CONSTRAINT jobs_pkey PRIMARY KEY,
    kind text NOT NULL,
    queue text NOT NULL,
    state text NOT NULL,
    payload jsonb NOT NULL,
    progress double precision NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL,
    fence integer NOT NULL DEFAULT 0,
    error text,
    result jsonb,
    trace_context jsonb NOT NULL DEFAULT '{}',
    created_by text NOT NULL,
    created_at timestamptz(3) NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    touched_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE INDEX jobs_by_age ON jobs (created_at, id);
  CREATE INDEX jobs_unfinished ON jobs (state) WHERE state IN ('WAITING', 'ACTIVE', 'DELAYED');

  CREATE TABLE outbox_events (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT outbox_events_pkey PRIMARY KEY,
    transaction_id bigint NOT NULL,
    topic text NOT NULL,
    subject jsonb NOT NULL,
    payload jsonb NOT NULL,
    at timestamptz NOT NULL
  );
  CREATE INDEX outbox_events_by_topic ON outbox_events (topic, transaction_id, id)`;

const CURVES = `
  CREATE TABLE curves (
    id uuid NOT NULL CONSTRAINT curves_pkey PRIMARY KEY,
    name text NOT NULL CONSTRAINT curves_name_key UNIQUE,
    kind text NOT NULL,
    unit text NOT NULL,
    tenors text[] NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
  );

  CREATE TABLE curve_snapshots (
    curve_id uuid NOT NULL CONSTRAINT curve_snapshots_curve_fkey REFERENCES curves (id),
    date date NOT NULL,
    revision integer NOT NULL,
    "values" double precision[] NOT NULL,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT curve_snapshots_pkey PRIMARY KEY (curve_id, date, revision)
  );
  CREATE INDEX curve_snapshots_by_time ON curve_snapshots (curve_id, recorded_at)`;

const MODELS = `
  CREATE TABLE models (
    id uuid NOT NULL CONSTRAINT models_pkey PRIMARY KEY,
    name text NOT NULL CONSTRAINT models_name_key UNIQUE,
    kind text NOT NULL,
    description text,
    tags jsonb NOT NULL DEFAULT '[]',
    last_number integer NOT NULL DEFAULT 0,
    last_transition integer NOT NULL DEFAULT 0,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
  );

  CREATE TABLE model_versions (
    id uuid NOT NULL CONSTRAINT model_versions_pkey PRIMARY KEY,
    model_id uuid NOT NULL CONSTRAINT model_versions_model_fkey REFERENCES models (id),
    number integer NOT NULL,
    stage text NOT NULL DEFAULT 'NONE',
    status text NOT NULL DEFAULT 'PENDING',
    rejection text,
    sha256 text NOT NULL,
    bytes bigint NOT NULL,
    files jsonb NOT NULL DEFAULT '[]',
    signature jsonb,
    metrics jsonb NOT NULL DEFAULT '[]',
    parameters jsonb NOT NULL DEFAULT '[]',
    training_run_id uuid,
    curve_id uuid,
    validation_job_id uuid,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT model_versions_number_key UNIQUE (model_id, number)
  );
  CREATE UNIQUE INDEX model_versions_one_in_production ON model_versions (model_id) WHERE stage = 'PRODUCTION';
  CREATE UNIQUE INDEX model_versions_one_in_staging ON model_versions (model_id) WHERE stage = 'STAGING';

  CREATE TABLE stage_transitions (
    id uuid NOT NULL CONSTRAINT stage_transitions_pkey PRIMARY KEY,
    model_id uuid NOT NULL,
    sequence integer NOT NULL,
    kind text NOT NULL,
    version_id uuid NOT NULL CONSTRAINT stage_transitions_version_fkey REFERENCES model_versions (id),
    from_stage text NOT NULL,
    to_stage text NOT NULL,
    retired_id uuid,
    actor text NOT NULL,
    approved_by text,
    reason text,
    at timestamptz NOT NULL,
    CONSTRAINT stage_transitions_sequence_key UNIQUE (model_id, sequence)
  )`;

const TRAINING = `
  CREATE TABLE training_runs (
    id uuid NOT NULL CONSTRAINT training_runs_pkey PRIMARY KEY,
    model_id uuid NOT NULL CONSTRAINT training_runs_model_fkey REFERENCES models (id),
    curve_id uuid CONSTRAINT training_runs_curve_fkey REFERENCES curves (id),
    job_id uuid NOT NULL,
    status text NOT NULL DEFAULT 'QUEUED',
    spec jsonb NOT NULL,
    data_sha256 text,
    progress double precision NOT NULL DEFAULT 0,
    parameters jsonb NOT NULL DEFAULT '[]',
    metrics jsonb NOT NULL DEFAULT '[]',
    backtest jsonb,
    version_id uuid,
    error text,
    created_by text NOT NULL,
    created_at timestamptz(3) NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz
  );
  CREATE INDEX training_runs_by_age ON training_runs (created_at, id);
  CREATE INDEX training_runs_by_job ON training_runs (job_id)`;

const INFERENCE = `
  CREATE TABLE inference_records (
    id uuid NOT NULL CONSTRAINT inference_records_pkey PRIMARY KEY,
    kind text NOT NULL,
    version_id uuid NOT NULL,
    caller text NOT NULL,
    at timestamptz NOT NULL,
    latency_ms double precision NOT NULL,
    inputs json,
    outputs json
  );
  CREATE INDEX inference_records_by_time ON inference_records (at)`;

/** History is evidence: neither a mistake nor an intruder with the application's rights rewrites it. */
const APPEND_ONLY = `
  CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
    END $$;
  CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON stage_transitions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
  CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON curve_snapshots
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`;
