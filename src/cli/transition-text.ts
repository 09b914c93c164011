import type { StageTransition } from "./graph-operations.js";

/** One line that says what a stage change did. */
export function transitionText(model: string, transition: StageTransition, pending: boolean): string {
  const { version, from, to, retired } = transition;
  const change = `${model} version ${version.number}: ${from} -> ${to}`;
  if (pending) return `${change}: waits for a second person's approval; nothing has changed yet`;
  return retired ? `${change}, version ${retired.number} retired` : change;
}
