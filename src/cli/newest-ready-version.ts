import type { CliContext } from "./command.js";
import { CommandFailure } from "./command-failure.js";

const PAGE = 100;

/** @throws {CommandFailure} NOT_FOUND for an unknown model, PRECONDITION_FAILED when none of its versions is READY */
export async function newestReadyVersion(
  { graph }: Pick<CliContext, "graph">,
  name: string,
): Promise<number> {
  const ready: number[] = [];
  let after: string | undefined;
  do {
    const { model } = await graph.execute("model-versions", { name, first: PAGE, after });
    if (!model) throw unknownModel(name);
    for (const { node } of model.versions.edges) if (node.status === "READY") ready.push(node.number);
    const { hasNextPage, endCursor } = model.versions.pageInfo;
    after = hasNextPage ? (endCursor ?? undefined) : undefined;
  } while (after);
  if (ready.length === 0) {
    throw new CommandFailure("PRECONDITION_FAILED", `model ${name} has no READY version`, "model");
  }
  return Math.max(...ready);
}

export function unknownModel(name: string): CommandFailure {
  return new CommandFailure("NOT_FOUND", `no model is named ${name}`, "model");
}
