import type { Transaction } from "../../ports/database.js";
import type { CollectionRow } from "./collection.entity.js";
import { CollectionRepository } from "./collection.repository.js";
import type { SearchIndexRow } from "./search-index.entity.js";
import { SearchIndexRepository } from "./search-index.repository.js";

/**
 * Lets an index answer the searches of its collection, which is locked. The last one of another version is kept for
 * the way back, the rest is discarded.
 */
export async function switchServing(
  tx: Transaction,
  collection: CollectionRow,
  index: SearchIndexRow,
): Promise<void> {
  const indexes = new SearchIndexRepository(tx);
  if (collection.servingIndexId !== null) await indexes.handOver(index.id, collection.servingIndexId);
  const others = (await indexes.standing(collection.id)).filter(({ id }) => id !== index.id);
  const served = others.filter(
    ({ state, versionId }) => state !== "BUILDING" && versionId !== index.versionId,
  );
  const kept = served.find(({ state }) => state === "SERVING") ?? served.at(-1);
  const now = new Date();
  for (const other of others) {
    if (other !== kept) await indexes.discard(other);
    else if (other.state === "SERVING") {
      await indexes.update(other, { state: "KEPT", jobId: null, retiredAt: now });
    }
  }
  await indexes.update(index, { state: "SERVING", servedAt: now, retiredAt: null });
  const collections = new CollectionRepository(tx);
  await collections.serve(collection.id, index.id);
  await collections.grow(collection.id);
}
