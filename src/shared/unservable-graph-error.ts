/** A graph that cannot be served, with the reason for its owner. */
export class UnservableGraphError extends Error {
  override readonly name = "UnservableGraphError";
}
