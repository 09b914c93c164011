import type { Command } from "commander";
import type { CliCommand } from "../command.js";

/** The platform takes as many keys in a request. */
const BATCH = 1000;

export interface DeleteDocumentsOptions {
  collection: string;
}

export const deleteDocuments: CliCommand<DeleteDocumentsOptions> = {
  usage: "delete-documents <key...>",
  summary: "Delete documents from a collection, by their keys.",
  examples: ["254carbon delete-documents ttf/1 ttf/2 --collection notes"],
  configure(command: Command) {
    command.requiredOption("--collection <collection>", "the collection");
  },
  async run({ graph }, { collection }, keys) {
    let deleted = 0;
    for (let start = 0; start < keys.length; start += BATCH) {
      const input = { collection, keys: keys.slice(start, start + BATCH) };
      deleted += (await graph.execute("delete-documents", { input })).deleteDocuments.deleted;
    }
    const absent = keys.length - deleted;
    return {
      data: { collection, deleted },
      text: `${collection}: ${deleted} deleted${absent > 0 ? `, ${absent} not there` : ""}`,
    };
  },
};
