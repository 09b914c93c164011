import type { CliContext } from "./command.js";
import { everyPage } from "./every-page.js";
import type { ImportedModel, ImportedVersion } from "./graph-operations.js";

/** A model as the platform has it, with all its versions. */
export type KnownModel = Omit<ImportedModel, "versions"> & { versions: ImportedVersion[] };

/** @returns undefined where there is none of that name */
export async function readModel(
  { graph }: Pick<CliContext, "graph">,
  name: string,
): Promise<KnownModel | undefined> {
  let known: KnownModel | undefined;
  const pages = everyPage(async (page) => {
    const { model } = await graph.execute("imported-versions", { name, ...page });
    if (model) known = { ...model, versions: known?.versions ?? [] };
    return model?.versions;
  });
  for await (const { edges } of pages) known!.versions.push(...edges.map(({ node }) => node));
  return known;
}
