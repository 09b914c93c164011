import type { CliContext } from "./command.js";
import { CommandFailure } from "./command-failure.js";
import { everyPage } from "./every-page.js";

/** @throws {CommandFailure} NOT_FOUND for an unknown model, PRECONDITION_FAILED when none of its versions is READY */
export async function newestReadyVersion(
  { graph }: Pick<CliContext, "graph">,
  name: string,
): Promise<number> {
  const ready: number[] = [];
  const pages = everyPage(async (page) => {
    const { model } = await graph.execute("model-versions", { name, ...page });
    if (!model) throw unknownModel(name);
    return model.versions;
  });
  for await (const { edges } of pages) {
    for (const { node } of edges) if (node.status === "READY") ready.push(node.number);
  }
  if (ready.length === 0) {
    throw new CommandFailure("PRECONDITION_FAILED", `model ${name} has no READY version`, "model");
  }
  return Math.max(...ready);
}

export function unknownModel(name: string): CommandFailure {
  return new CommandFailure("NOT_FOUND", `no model is named ${name}`, "model");
}
