/**
 * Normalised discounted cumulative gain with linear gains: gain / log2(rank + 1), summed over the first `depth`
 * ranks, over that of the best possible order.
 * @param ranking ids, best first, each once
 * @param gains by id, above 0; an id that is missing gains nothing
 * @returns 0 to 1; 0 where nothing is relevant
 */
export function ndcg(
  ranking: readonly string[],
  gains: ReadonlyMap<string, number>,
  { depth }: { depth: number },
): number {
  const best = discounted([...gains.values()].sort((a, b) => b - a).slice(0, depth));
  const found = discounted(ranking.slice(0, depth).map((id) => gains.get(id) ?? 0));
  return best > 0 ? found / best : 0;
}

/** Share of the relevant that is among the first `depth`. @returns 0 to 1; 0 where nothing is relevant */
export function recall(
  ranking: readonly string[],
  gains: ReadonlyMap<string, number>,
  { depth }: { depth: number },
): number {
  const found = ranking.slice(0, depth).filter((id) => (gains.get(id) ?? 0) > 0).length;
  return gains.size > 0 ? found / gains.size : 0;
}

function discounted(gains: readonly number[]): number {
  return gains.reduce((sum, gain, i) => sum + gain / Math.log2(i + 2), 0);
}
