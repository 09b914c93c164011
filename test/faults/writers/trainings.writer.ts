import { curveWithHistory, datesOf, snapshotsOf } from "../../support/market-curves.js";
import { eventually, readAll } from "../../support/platform.js";
import type { Connection } from "../../support/platform.js";
import { digestOf } from "../../support/registry.js";
import type { GraphClient } from "../graph-client.js";
import { toPlatform } from "../to-platform.js";
import { emptyVerdict } from "../writer.js";
import type { Operation, Verdict, Writer } from "../writer.js";

const ENDS_WITHIN_MS = 180_000;
const SNAPSHOTS = 300;

interface Run {
  status: string;
  error: string | null;
  finishedAt: string | null;
  version: { number: number; artifact: { sha256: string; downloadUrl: string } } | null;
}

/** Starts trainings; each must succeed with one version, whose artifact is there and whole. */
export class TrainingsWriter implements Writer {
  readonly name = "trainings";
  readonly everyMs = 2_000;
  private readonly model: string;
  private readonly runs = new Map<string, string>();
  private count = 0;

  constructor(run: string) {
    this.model = `faults-trainings-${run}`;
  }

  async prepare(client: GraphClient): Promise<void> {
    await curveWithHistory(toPlatform(client), this.model, snapshotsOf(datesOf(SNAPSHOTS)));
  }

  next(): Operation {
    const key = String(this.count++);
    const input = {
      ...{ model: this.model, curve: this.model, type: "GRADIENT_BOOSTING" },
      ...{ horizons: [1], refitEvery: 60, idempotencyKey: `${this.model}-${key}` },
    };
    return {
      key,
      send: async (client) => {
        const answer = await client.query<{ startTraining: { run: { id: string } } }>(
          `mutation Start($input: StartTrainingInput!) { startTraining(input: $input) { run { id } } }`,
          { input },
        );
        this.runs.set(key, answer.startTraining.run.id);
      },
    };
  }

  async verify(client: GraphClient, acknowledged: ReadonlySet<string>): Promise<Verdict> {
    const verdict = emptyVerdict();
    const numbers = new Set<number>();
    for (const key of acknowledged) {
      const run = await this.ended(client, this.runs.get(key)!);
      if (run.status !== "SUCCEEDED" || !run.version) {
        verdict.lost.push(`training ${key}: ${run.status} ${run.error ?? ""}`);
        continue;
      }
      numbers.add(run.version.number);
      const { sha256, downloadUrl } = run.version.artifact;
      const content = await (await client.send(downloadUrl, {})).arrayBuffer();
      if (digestOf(new Uint8Array(content)) !== sha256) verdict.wrong.push(`artifact of training ${key}`);
    }
    const versions = await this.versions(client);
    const ended = [...this.runs.values()];
    if (versions.length > ended.length) {
      verdict.repeated.push(`${versions.length} versions of ${ended.length} trainings`);
    }
    for (const number of numbers) {
      if (!versions.includes(number)) verdict.lost.push(`version ${number}`);
    }
    return verdict;
  }

  private ended(client: GraphClient, id: string): Promise<Run> {
    return eventually(
      async () => {
        const { trainingRun } = await client.query<{ trainingRun: Run }>(
          `query Run($id: ID!) { trainingRun(id: $id) {
            status error finishedAt version { number artifact { sha256 downloadUrl } }
          } }`,
          { id },
        );
        return trainingRun;
      },
      ({ finishedAt }) => finishedAt !== null,
      ENDS_WITHIN_MS,
    );
  }

  private async versions(client: GraphClient): Promise<number[]> {
    const nodes = await readAll(async (after) => {
      const answer = await client.query<{ model: { versions: Connection<{ number: number }> } }>(
        `query Versions($name: String!, $after: String) { model(name: $name) {
          versions(first: 100, after: $after) {
            edges { cursor node { number } } pageInfo { hasNextPage } totalCount
          }
        } }`,
        { name: this.model, after },
      );
      return answer.model.versions;
    });
    return nodes.map(({ number }) => number);
  }
}
