import type { Tensors } from "../../ports/inference-runtime.js";

/** The buffers behind tensors that nobody else reads, to be moved to another thread instead of copied. */
export function ownBuffers(tensors: Tensors): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const name in tensors) {
    const { data } = tensors[name]!;
    if (!Array.isArray(data)) buffers.add(data.buffer as ArrayBuffer);
  }
  return [...buffers];
}

/**
 * Tensors of a caller who keeps them, ready to be copied to another thread: a view of a larger buffer is cut
 * out first, since the whole buffer would be copied with it.
 */
export function compactViews(tensors: Tensors): Tensors {
  const compact: Tensors = {};
  for (const name in tensors) {
    const value = tensors[name]!;
    const { data } = value;
    const isPart = !Array.isArray(data) && data.byteLength !== data.buffer.byteLength;
    compact[name] = isPart ? { ...value, data: data.slice() } : value;
  }
  return compact;
}
