import type { Transaction } from "../../ports/database.js";
import type { CollectionRow } from "./collection.entity.js";
import { CollectionRepository } from "./collection.repository.js";
import type { SearchIndexRow } from "./search-index.entity.js";
import { SearchIndexRepository } from "./search-index.repository.js";

/**
 * Lets an index answer the searches of its collection, which is locked. The one that did is kept for the way back,
 * and none but that one; two of the same version are not worth their while.
 */
export async function switchServing(
  tx: Transaction,
  collection: CollectionRow,
  index: SearchIndexRow,
): Promise<void> {
  const indexes = new SearchIndexRepository(tx);
  if (collection.servingIndexId !== null) await indexes.handOver(index.id, collection.servingIndexId);
  const now = new Date();
  for (const other of await indexes.standing(collection.id)) {
    if (other.id === index.id) continue;
    const keep = other.state === "SERVING" && other.versionId !== index.versionId;
    if (keep) await indexes.update(other, { state: "KEPT", jobId: null, retiredAt: now });
    else await indexes.discard(other);
  }
  await indexes.update(index, { state: "SERVING", servedAt: now, retiredAt: null });
  const collections = new CollectionRepository(tx);
  await collections.serve(collection.id, index.id);
  await collections.grow(collection.id);
}
