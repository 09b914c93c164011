import { uploadVersion } from "../../support/registry.js";
import type { Transition } from "../../support/registry.js";
import { readAll } from "../../support/platform.js";
import type { Connection } from "../../support/platform.js";
import type { GraphClient } from "../graph-client.js";
import { offsetModel } from "../offset-model.js";
import { toPlatform } from "../to-platform.js";
import { emptyVerdict } from "../writer.js";
import type { Operation, Verdict, Writer } from "../writer.js";

const VERSIONS = 3;

type Seen = Pick<Transition, "id" | "reason" | "version">;

/** Promotes one version after the other; each transition must be in the history once, and the last one serve. */
export class PromotionsWriter implements Writer {
  readonly name = "promotions";
  readonly everyMs = 100;
  readonly model: string;
  private readonly transitions = new Map<string, string>();
  private count = 0;

  constructor(run: string) {
    this.model = `faults-${run}`;
  }

  async prepare(client: GraphClient): Promise<void> {
    for (let offset = 1; offset <= VERSIONS; offset++) {
      await uploadVersion(toPlatform(client), this.model, offsetModel(offset));
    }
    await this.next().send(client);
  }

  next(): Operation {
    const key = String(this.count++);
    const number = (this.count % VERSIONS) + 1;
    const input = {
      ...{ model: this.model, number, stage: "PRODUCTION" },
      ...{ reason: `turn ${key}`, idempotencyKey: `${this.model}-${key}` },
    };
    return {
      key,
      send: async (client) => {
        const answer = await client.query<{ promoteModelVersion: { transition: { id: string } } }>(
          `mutation Promote($input: PromoteModelVersionInput!) { promoteModelVersion(input: $input) { transition { id } } }`,
          { input },
        );
        this.transitions.set(key, answer.promoteModelVersion.transition.id);
      },
    };
  }

  async verify(client: GraphClient, acknowledged: ReadonlySet<string>): Promise<Verdict> {
    const verdict = emptyVerdict();
    const history = await this.history(client);
    const byReason = new Map<string, Seen[]>();
    for (const seen of history) byReason.set(seen.reason!, [...(byReason.get(seen.reason!) ?? []), seen]);
    for (const key of acknowledged) {
      const entries = byReason.get(`turn ${key}`) ?? [];
      if (entries.length === 0) verdict.lost.push(`promotion ${key}`);
      if (entries.length > 1) verdict.repeated.push(`promotion ${key}`);
      if (entries.length === 1 && entries[0]!.id !== this.transitions.get(key)) {
        verdict.wrong.push(`promotion ${key}`);
      }
    }
    const serving = await client.query<{ model: { production: { number: number } | null } }>(
      `query Serving($name: String!) { model(name: $name) { production { number } } }`,
      { name: this.model },
    );
    if (serving.model.production?.number !== history[0]?.version.number) {
      verdict.wrong.push("the version that serves is not the one promoted last");
    }
    return verdict;
  }

  /** Newest first. */
  history(client: GraphClient): Promise<Seen[]> {
    return readAll(async (after) => {
      const answer = await client.query<{ model: { transitions: Connection<Seen> } }>(
        `query History($model: String!, $after: String) { model(name: $model) {
          transitions(first: 100, after: $after) {
            edges { cursor node { id reason version { number } } } pageInfo { hasNextPage } totalCount
          }
        } }`,
        { model: this.model, after },
      );
      return answer.model.transitions;
    });
  }
}
