import { readAll } from "../../support/platform.js";
import type { Connection } from "../../support/platform.js";
import type { GraphClient } from "../graph-client.js";
import { emptyVerdict } from "../writer.js";
import type { Operation, Verdict, Writer } from "../writer.js";

const FIRST_DAY = Date.UTC(2000, 0, 1);
const DAY_MS = 86_400_000;

interface Snapshot {
  date: string;
  points: { tenor: string; value: number }[];
}

/** Records a curve, one date after the other; each must be there once with the value that was sent. */
export class CurvesWriter implements Writer {
  readonly name = "curves";
  readonly everyMs = 30;
  private readonly curve: string;
  private count = 0;

  constructor(run: string) {
    this.curve = `faults-${run}`;
  }

  async prepare(client: GraphClient): Promise<void> {
    await client.query(
      `mutation Define($input: DefineCurveInput!) { defineCurve(input: $input) { curve { id } } }`,
      { input: { name: this.curve, kind: "FORWARD", unit: "USD/MMBtu", tenors: ["M1", "M2"] } },
    );
  }

  next(): Operation {
    const date = new Date(FIRST_DAY + this.count++ * DAY_MS).toISOString().slice(0, 10);
    const points = [
      { tenor: "M1", value: valueOf(date) },
      { tenor: "M2", value: valueOf(date) + 1 },
    ];
    const input = {
      curve: this.curve,
      snapshots: [{ date, points }],
      idempotencyKey: `${this.curve}-${date}`,
    };
    return {
      key: date,
      send: async (client) => {
        await client.query(
          `mutation Record($input: RecordCurveInput!) { recordCurve(input: $input) { created unchanged } }`,
          { input },
        );
      },
    };
  }

  async verify(client: GraphClient, acknowledged: ReadonlySet<string>): Promise<Verdict> {
    const verdict = emptyVerdict();
    const found = new Map((await this.read(client)).map((snapshot) => [snapshot.date, snapshot]));
    for (const date of acknowledged) {
      const snapshot = found.get(date);
      if (!snapshot) verdict.lost.push(`curve of ${date}`);
      else if (snapshot.points[0]?.value !== valueOf(date)) verdict.wrong.push(`curve of ${date}`);
    }
    return verdict;
  }

  private read(client: GraphClient): Promise<Snapshot[]> {
    return readAll(async (after) => {
      const answer = await client.query<{ curve: { snapshots: Connection<Snapshot> } }>(
        `query Snapshots($name: String!, $after: String) { curve(name: $name) {
          snapshots(first: 100, after: $after) {
            edges { cursor node { date points { tenor value } } } pageInfo { hasNextPage } totalCount
          }
        } }`,
        { name: this.curve, after },
      );
      return answer.curve.snapshots;
    });
  }
}

function valueOf(date: string): number {
  return Date.parse(date) / DAY_MS / 100;
}
