import type { KubernetesObject } from "./manifests.js";

/** Every image that an object names, wherever. */
export function imagesOf(object: KubernetesObject): string[] {
  return search(object);
}

function search(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(search);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, item]) =>
    (name === "image" || name === "imageName") && typeof item === "string" ? [item] : search(item),
  );
}
