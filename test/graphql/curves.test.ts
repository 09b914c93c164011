import { datesOf, defineCurve, record, snapshotsOf, TENORS } from "../support/market-curves.js";
import type { SnapshotInput } from "../support/market-curves.js";
import { refusalOf, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform();
});

afterAll(() => platform.remove());

function quotes(date: string, ...values: (number | null)[]): SnapshotInput {
  return { date, points: values.map((value, i) => ({ tenor: TENORS[i]!, value })) };
}

interface Snapshots {
  edges: { cursor: string; node: SnapshotInput & { recordedAt: string } }[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; endCursor: string | null };
  totalCount: number;
}

const SNAPSHOTS = `query Snapshots(
  $curve: String!, $from: Date, $to: Date, $knownAt: DateTime, $first: Int, $after: String
) {
  curve(name: $curve) {
    snapshots(from: $from, to: $to, knownAt: $knownAt, first: $first, after: $after) {
      edges { cursor node { date recordedAt points { tenor value } } }
      pageInfo { hasNextPage hasPreviousPage endCursor } totalCount
    }
  }
}`;

async function snapshots(curve: string, args: Record<string, unknown> = {}): Promise<Snapshots> {
  const answer = await platform.query<{ curve: { snapshots: Snapshots } }>(SNAPSHOTS, { curve, ...args });
  return answer.curve.snapshots;
}

async function valuesOf(curve: string, args: Record<string, unknown> = {}): Promise<unknown[]> {
  const { edges } = await snapshots(curve, args);
  return edges.map(({ node }) => [node.date, ...node.points.map(({ value }) => value)]);
}

describe("a curve", () => {
  test("is defined once and found by name and id", async () => {
    const { data } = await defineCurve(platform, { name: "defined", unit: "percent" });
    const { id } = data!.defineCurve.curve;
    const found = await platform.query(
      `query Curve($id: ID!) {
        curve(name: "defined") { id name kind unit tenors latest { date } snapshots { totalCount } }
        node(id: $id) { ... on Curve { name } }
        absent: curve(name: "absent") { id }
        curves(first: 100) { edges { node { name } } }
      }`,
      { id },
    );
    expect(found).toMatchObject({
      curve: {
        id,
        kind: "YIELD",
        unit: "percent",
        tenors: TENORS,
        latest: null,
        snapshots: { totalCount: 0 },
      },
      node: { name: "defined" },
      absent: null,
    });
    expect(refusalOf(await defineCurve(platform, { name: "defined" }))).toBe("CONFLICT input.name");
  });

  test.each<[string, object, string]>([
    ["a bad name", { name: "Bad Name" }, "input.name"],
    ["no unit", { unit: " " }, "input.unit"],
    ["no tenors", { tenors: [] }, "input.tenors"],
    ["a tenor twice", { tenors: ["P1Y", "P2Y", "P2Y"] }, "input.tenors.2"],
    ["the same tenor spelled twice", { tenors: ["P1Y", "P12M"] }, "input.tenors.1"],
    ["tenors out of order", { tenors: ["P2Y", "P1Y"] }, "input.tenors.1"],
    ["what is no tenor", { tenors: ["P1Y", "10 Yr"] }, "input.tenors.1"],
    ["a tenor of nothing", { tenors: ["P0D"] }, "input.tenors.0"],
    ["a contract position on a yield curve", { tenors: ["M1"] }, "input.tenors.0"],
    ["an unknown kind", { kind: "SPOT" }, "input.kind"],
  ])("with %s is refused", async (_what, input, field) => {
    expect(refusalOf(await defineCurve(platform, { name: "refused", ...input }))).toBe(
      `INVALID_INPUT ${field}`,
    );
  });

  test("of forward prices has contract positions, and prices may be negative", async () => {
    await defineCurve(platform, { name: "power", kind: "FORWARD", unit: "USD/MWh", tenors: ["M1", "M2"] });
    const points = [
      { tenor: "M2", value: -12.5 },
      { tenor: "M1", value: 1e-9 },
    ];
    await record(platform, { curve: "power", snapshots: [{ date: "2024-02-29", points }] });
    expect(await valuesOf("power")).toEqual([["2024-02-29", 1e-9, -12.5]]);
  });
});

describe("recording", () => {
  test("counts what is new, revised and unchanged, and keeps every revision", async () => {
    await defineCurve(platform, { name: "revised" });
    const first = await record(platform, {
      curve: "revised",
      snapshots: [quotes("2024-01-03", 3, 4, 5), quotes("2024-01-02", 1, null, 2)],
    });
    expect(first.data).toEqual({ recordCurve: { created: 2, replaced: 0, unchanged: 0 } });
    const [original] = (await snapshots("revised")).edges;

    const second = await record(platform, {
      curve: "revised",
      snapshots: [
        quotes("2024-01-02", 1, 1.5, 2),
        quotes("2024-01-03", 3, 4, 5),
        // Points that are left out were not quoted.
        { date: "2024-01-04", points: [{ tenor: "P5Y", value: 6 }] },
      ],
    });
    expect(second.data).toEqual({ recordCurve: { created: 1, replaced: 1, unchanged: 1 } });
    expect(await valuesOf("revised")).toEqual([
      ["2024-01-02", 1, 1.5, 2],
      ["2024-01-03", 3, 4, 5],
      ["2024-01-04", null, 6, null],
    ]);
    expect(await valuesOf("revised", { knownAt: original!.node.recordedAt })).toEqual([
      ["2024-01-02", 1, null, 2],
      ["2024-01-03", 3, 4, 5],
    ]);
    expect(await valuesOf("revised", { knownAt: "2000-01-01T00:00:00Z" })).toEqual([]);

    const withdrawn = await record(platform, {
      curve: "revised",
      snapshots: [quotes("2024-01-04", null, null, null)],
    });
    expect(withdrawn.data).toEqual({ recordCurve: { created: 0, replaced: 1, unchanged: 0 } });
    const { curve } = await platform.query<{ curve: object }>(
      `{ curve(name: "revised") { latest { date points { value } } } }`,
    );
    expect(curve).toEqual({
      latest: { date: "2024-01-04", points: [{ value: null }, { value: null }, { value: null }] },
    });
  });

  const good = quotes("2024-01-02", 1, 2, 3);

  test.each<[string, unknown[], string]>([
    ["no snapshots", [], "input.snapshots"],
    ["a date twice", [good, good], "input.snapshots.1.date"],
    ["a date that does not exist", [good, { ...good, date: "2024-02-30" }], "input.snapshots.1.date"],
    ["an instant for a date", [good, { ...good, date: "2024-01-03T00:00:00Z" }], "input.snapshots.1.date"],
    [
      "an unknown tenor",
      [good, { date: "2024-01-03", points: [{ tenor: "P7Y", value: 1 }] }],
      "input.snapshots.1.points.0.tenor",
    ],
    [
      "a tenor twice",
      [good, { date: "2024-01-03", points: [...good.points, { tenor: "P1Y", value: 1 }] }],
      "input.snapshots.1.points.3.tenor",
    ],
    [
      "NaN",
      [good, { date: "2024-01-03", points: [{ tenor: "P1Y", value: "NaN" }] }],
      "input.snapshots.1.points.0.value",
    ],
    ["a snapshot without points", [good, { date: "2024-01-03" }], "input.snapshots.1.points"],
  ])("of %s is refused as a whole", async (_what, given, field) => {
    await defineCurve(platform, { name: "whole" });
    const answer = await record(platform, { curve: "whole", snapshots: given });
    expect(refusalOf(answer)).toBe(`INVALID_INPUT ${field}`);
    expect((await snapshots("whole")).totalCount).toBe(0);
  });

  test("on a curve that does not exist is refused", async () => {
    expect(refusalOf(await record(platform, { curve: "absent", snapshots: [good] }))).toBe(
      "NOT_FOUND input.curve",
    );
  });

  test("numbers that no double holds is refused", async () => {
    await defineCurve(platform, { name: "whole" });
    for (const value of ["1e999", "-1e999"]) {
      const answer = await platform.ask(
        `mutation { recordCurve(input: { curve: "whole", snapshots: [{ date: "2024-01-02",
          points: [{ tenor: "P1Y", value: ${value} }] }] }) { created } }`,
      );
      expect(refusalOf(answer)).toBe("INVALID_INPUT input.snapshots.0.points.0.value");
    }
  });

  test("with an idempotency key happens once, and not with another body", async () => {
    await defineCurve(platform, { name: "once" });
    const input = { curve: "once", snapshots: [good], idempotencyKey: "2024-01-02" };
    const answers = await Promise.all([record(platform, input), record(platform, input)]);
    for (const { data } of answers) {
      expect(data).toEqual({ recordCurve: { created: 1, replaced: 0, unchanged: 0 } });
    }
    const other = { ...input, snapshots: [quotes("2024-01-02", 1, 2, 4)] };
    expect(refusalOf(await record(platform, other))).toBe("CONFLICT input.idempotencyKey");
    expect(await valuesOf("once")).toEqual([["2024-01-02", 1, 2, 3]]);
  });

  test("from many callers at once loses nothing", async () => {
    await defineCurve(platform, { name: "crowd" });
    const payloads = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        record(platform, {
          curve: "crowd",
          snapshots: [quotes("2024-01-02", i, i, i), quotes(datesOf(11)[i + 1]!, i, i, i)],
        }),
      ),
    );
    const total = (name: "created" | "replaced") =>
      payloads.reduce((sum, { data }) => sum + data!.recordCurve[name], 0);
    expect([total("created"), total("replaced")]).toEqual([11, 9]);
    expect((await snapshots("crowd")).totalCount).toBe(11);
  });
});

describe("reading", () => {
  const dates = datesOf(25);

  beforeAll(async () => {
    await defineCurve(platform, { name: "paged" });
    await record(platform, { curve: "paged", snapshots: snapshotsOf(dates).reverse() });
  });

  test("goes page by page, oldest first, within the dates asked for", async () => {
    const read: string[] = [];
    let page = await snapshots("paged", { first: 10 });
    expect(page.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false });
    for (;;) {
      read.push(...page.edges.map(({ node }) => node.date));
      expect(page.totalCount).toBe(25);
      if (!page.pageInfo.hasNextPage) break;
      page = await snapshots("paged", { first: 10, after: page.pageInfo.endCursor });
      expect(page.pageInfo.hasPreviousPage).toBe(true);
    }
    expect(read).toEqual(dates);
    expect((await snapshots("paged")).edges).toHaveLength(20);
    expect((await snapshots("paged", { first: null, after: null })).edges).toHaveLength(20);
    const some = await valuesOf("paged", { from: dates[3], to: dates[5] });
    expect(some.map((row) => (row as string[])[0])).toEqual(dates.slice(3, 6));
    expect(await valuesOf("paged", { from: dates[5], to: dates[3] })).toEqual([]);
  });

  test("no snapshots still tells that there are some", async () => {
    expect(await snapshots("paged", { first: 0 })).toEqual({
      edges: [],
      pageInfo: { hasNextPage: true, hasPreviousPage: false, endCursor: null },
      totalCount: 25,
    });
    expect((await snapshots("paged", { first: 100 })).edges).toHaveLength(25);
  });

  const cursor = (keys: unknown) => Buffer.from(JSON.stringify(keys)).toString("base64url");

  test.each<[string, object, string]>([
    ["101 snapshots", { first: 101 }, "first"],
    ["-1 snapshots", { first: -1 }, "first"],
    ["10^9 snapshots", { first: 1_000_000_000 }, "first"],
    ["10^12 snapshots", { first: 1_000_000_000_000 }, "first"],
    ["1.5 snapshots", { first: 1.5 }, "first"],
    ["after an empty cursor", { after: "" }, "after"],
    ["after garbage", { after: "garbage" }, "after"],
    ["after a cursor that names no date", { after: cursor(["next"]) }, "after"],
    ["after a cursor that names no day", { after: cursor(["2024-02-31"]) }, "after"],
    ["after a cursor of another list", { after: cursor([7]) }, "after"],
    ["after a cursor of more keys", { after: cursor(["2024-01-02", "x"]) }, "after"],
    ["from no date", { from: "2024-13-01" }, "from"],
    ["known at no instant", { knownAt: "2024-01-01" }, "knownAt"],
  ])("%s is refused", async (_what, args, field) => {
    expect(refusalOf(await platform.ask(SNAPSHOTS, { curve: "paged", ...args }))).toBe(
      `INVALID_INPUT ${field}`,
    );
  });

  test("lists of curves, too, check their cursors", async () => {
    const answer = await platform.ask(
      `query Curves($after: String) { curves(after: $after) { totalCount } }`,
      {
        after: cursor(["\u0000"]),
      },
    );
    expect(refusalOf(answer)).toBe("INVALID_INPUT after");
  });

  test("a name that no database can hold is not found, or refused", async () => {
    expect(
      refusalOf(
        await platform.ask(`query C($name: String!) { curve(name: $name) { id } }`, { name: "a\u0000" }),
      ),
    ).toMatch(/^INVALID_INPUT/);
  });
});
