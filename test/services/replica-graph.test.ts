import pg from "pg";
import { metric } from "../support/metrics.js";
import { startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { startPostgres } from "../support/postgres-server.js";
import type { PostgresServer, PostgresStandby } from "../support/postgres-server.js";
import { eventually } from "../support/platform.js";
import { upkeep } from "../support/upkeep.js";
import { bearer, issueToken, TEST_SECRET } from "../support/tokens.js";

let primary: PostgresServer;
let standby: PostgresStandby;
let platform: Platform;
beforeAll(async () => {
  primary = await startPostgres();
  standby = await primary.startStandby();
  platform = await startPlatform({
    environment: {
      ML_VECTOR_DB_DSN: primary.dsn(),
      ML_VECTOR_DB_REPLICA_DSNS: standby.dsn(),
      ML_VECTOR_DB_REPLICA_MAX_LAG_MS: "600000",
      ML_JWT_SECRET_KEY: TEST_SECRET,
    },
  });
});
afterAll(async () => {
  await platform.remove();
  await standby.remove();
  await primary.remove();
});

const as = (sub: string) => bearer(issueToken({ sub }));
const define = (name: string, sub: string) =>
  platform.query(
    "mutation D($input: DefineCurveInput!) { defineCurve(input: $input) { curve { name } } }",
    { input: { name, kind: "YIELD", unit: "percent", tenors: ["P1Y", "P2Y"] } },
    as(sub),
  );
const namesSeenBy = async (sub: string) => {
  const { curves } = await platform.query<{ curves: { edges: { node: { name: string } }[] } }>(
    "{ curves { edges { node { name latest { date } } } } }",
    {},
    as(sub),
  );
  return curves.edges.map(({ node }) => node.name);
};

test("queries are answered by the standby, but who wrote gets what it wrote", async () => {
  await define("first", "writer");
  await eventually(
    () => namesSeenBy("reader"),
    (names) => names.includes("first"),
  );
  await eventually(
    async () => platform.log,
    (log) => log.some(({ event }) => event === "replica.used"),
  );
  await standby.query("SELECT pg_wal_replay_pause()");
  try {
    await define("second", "writer");
    expect(await namesSeenBy("writer")).toEqual(["first", "second"]);
    // Compiled after some uses, and answered by the same rule.
    for (let use = 0; use < 5; use++) expect(await namesSeenBy("reader")).toEqual(["first"]);
    expect(await namesSeenBy("writer")).toEqual(["first", "second"]);
  } finally {
    await standby.query("SELECT pg_wal_replay_resume()");
  }
  expect(
    await eventually(
      () => namesSeenBy("reader"),
      (names) => names.length === 2,
    ),
  ).toContain("second");
});

test("how far the replica is behind is measured, and an idle primary makes no lag", async () => {
  const lag = () =>
    metric(platform, "database_replica_lag_seconds", { replica: "ML_VECTOR_DB_REPLICA_DSNS[0]" });
  await eventually(lag, (seconds) => seconds === 0);
  await standby.query("SELECT pg_wal_replay_pause()");
  try {
    await define("third", "writer");
    await eventually(lag, (seconds) => seconds > 2);
  } finally {
    await standby.query("SELECT pg_wal_replay_resume()");
  }
  await eventually(lag, (seconds) => seconds === 0);
});

test("what an open transaction holds back is measured: events, and seals of the audit log", async () => {
  const lags = async () => [
    await metric(platform, "outbox_lag_seconds"),
    await metric(platform, "audit_seal_lag_seconds"),
  ];
  const holding = new pg.Client({ connectionString: primary.dsn() });
  await holding.connect();
  try {
    await holding.query("BEGIN");
    await holding.query("SELECT pg_current_xact_id()");
    await upkeep(platform, "startVacuum");
    await eventually(lags, (seconds) => Math.min(...seconds) > 1);
  } finally {
    await holding.end();
  }
  expect(await eventually(lags, (seconds) => Math.max(...seconds) === 0)).toEqual([0, 0]);
});
