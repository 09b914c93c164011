import type { Platform } from "./platform.js";

export interface PartJob {
  id: string;
  state: string;
  attempts: number;
  startedAt: string | null;
  finishedAt: string | null;
  error: string | null;
}

export interface WholeJob extends PartJob {
  progress: number;
  children: { totalCount: number; edges: { node: PartJob & { parent: { id: string } } }[] };
}

const FAMILY = `
  id state progress attempts startedAt finishedAt error
  children(first: 100) { totalCount edges { node {
    id state attempts startedAt finishedAt error parent { id }
  } } }`;

export async function familyOf(platform: Pick<Platform, "query">, id: string): Promise<WholeJob> {
  const { job } = await platform.query<{ job: WholeJob }>(
    `query Family($id: ID!) { job(id: $id) { ${FAMILY} } }`,
    { id },
  );
  return job;
}

/** The newest job of a kind, with the jobs that do parts of it. */
export async function newestFamily(platform: Pick<Platform, "query">, kind: string): Promise<WholeJob> {
  const { jobs } = await platform.query<{ jobs: { edges: [{ node: WholeJob }] } }>(
    `query Newest($kind: String!) { jobs(first: 1, kind: $kind) { edges { node { ${FAMILY} } } } }`,
    { kind },
  );
  return jobs.edges[0].node;
}

export function partsOf({ children }: WholeJob, state?: string): PartJob[] {
  const parts = children.edges.map(({ node }) => node);
  return state === undefined ? parts : parts.filter((part) => part.state === state);
}

/** Everything that two trainings of the same would share. */
export async function madeBy(
  platform: Pick<Platform, "query">,
  model: string,
  number: number,
): Promise<unknown> {
  const answer = await platform.query<{ model: { version: unknown } }>(
    `query Made($model: String!, $number: Int!) { model(name: $model) { version(number: $number) {
       artifact { sha256 bytes } metrics { name value } parameters { name value }
       trainingRun { dataSha256 backtest { origins scores { horizon tenor rmse mae coverage relativeToRandomWalk } } }
     } } }`,
    { model, number },
  );
  return answer.model.version;
}
