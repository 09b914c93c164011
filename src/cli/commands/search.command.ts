import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import type { FoundDocument, SearchFacet } from "../collection-operations.js";
import type { CliCommand } from "../command.js";
import { count, isoDate, oneOf } from "../option-parsers.js";
import type { Terminal } from "../terminal.js";

const MODES = ["HYBRID", "SEMANTIC", "LEXICAL"] as const;

export interface SearchOptions {
  collection: string;
  mode?: (typeof MODES)[number];
  filter?: Map<string, unknown[]>;
  from?: string;
  to?: string;
  facet?: string[];
  first: number;
}

export const search: CliCommand<SearchOptions> = {
  usage: "search <query>",
  summary: "Find documents by their words and their meaning, best first.",
  examples: [
    '254carbon search "how full are the gas caverns" --collection notes',
    '254carbon search "allowances" --collection notes --filter region=EU --filter region=UK --facet commodity',
    '254carbon search "TTF" --collection notes --mode lexical --from 2024-01-01 --json',
  ],
  configure(command: Command) {
    command
      .requiredOption("--collection <name>", "where to look")
      .option("--mode <mode>", "hybrid, semantic or lexical (default: hybrid)", oneOf(MODES))
      .option(
        "--filter <key=value>",
        "only documents with this metadata; a key given twice means any of",
        toFilter,
      )
      .option("--from <date>", "published on this day or later", isoDate)
      .option("--to <date>", "published on this day or earlier", isoDate)
      .option("--facet <key>", "count the values of this metadata key; may be given again", append)
      .option("--first <number>", "at most so many, up to 100", count, 10);
  },
  async run({ graph, terminal }, { collection, mode, filter, from, to, facet, first }, [query]) {
    const { search: found } = await graph.execute("search", {
      input: {
        collection,
        query: query!,
        mode,
        filter: {
          metadata: filter && Object.fromEntries(filter),
          publishedFrom: from && `${from}T00:00:00Z`,
          publishedTo: to && `${to}T23:59:59.999Z`,
        },
        facets: facet,
      },
      first,
    });
    const { edges, facets, plan } = found;
    const lines =
      edges.length > 0 ? edges.map((edge, i) => foundText(terminal, edge, i + 1)) : ["Nothing matches."];
    const how = `${plan.mode.toLowerCase()}: ${plan.strategy}, ${plan.tookMs.toFixed(1)} ms`;
    return { data: found, text: [...lines, ...facets.map(facetText), how].join("\n\n") };
  },
};

/** `region=EU`; what reads as JSON (3, true, null) is taken as such, anything else as text. */
function toFilter(text: string, before = new Map<string, unknown[]>()): Map<string, unknown[]> {
  const [, key, value] = /^([^=]+)=(.*)$/su.exec(text) ?? [];
  if (key === undefined) throw new InvalidArgumentError("It must be of the form key=value.");
  return before.set(key, [...(before.get(key) ?? []), toScalar(value!)]);
}

function toScalar(text: string): unknown {
  if (/^(?:true|false|null|-?\d+(?:\.\d+)?)$/.test(text)) return JSON.parse(text);
  return text;
}

function append(text: string, before: string[] = []): string[] {
  return [...before, text];
}

function foundText(terminal: Terminal, found: FoundDocument, place: number): string {
  const { score, semanticRank, lexicalRank, highlight, node } = found;
  const ranks = [
    `score ${score.toFixed(3)}`,
    ...(semanticRank === null ? [] : [`meaning #${semanticRank}`]),
    ...(lexicalRank === null ? [] : [`words #${lexicalRank}`]),
    ...(node.publishedAt === null ? [] : [node.publishedAt.slice(0, 10)]),
  ];
  const title = terminal.bold(printable(node.title ?? node.key));
  return `${place}. ${title} (${printable(node.key)})\n   ${ranks.join(", ")}\n   ${highlightText(terminal, highlight)}`;
}

const CHARACTERS: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };

/** Matches in bold, where the terminal can show it. */
function highlightText(terminal: Terminal, html: string): string {
  return html
    .split(/<em>(.*?)<\/em>/s)
    .map((part, i) => {
      const text = printable(
        part.replaceAll(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => CHARACTERS[name]!),
      );
      return i % 2 === 1 ? terminal.bold(text) : text;
    })
    .join("");
}

/** On one line, and nothing that a terminal would obey. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\s]+/gu, " ");
}

function facetText({ key, values }: SearchFacet): string {
  return `${key}: ${values.map(({ value, count: documents }) => `${printable(value)} (${documents})`).join(", ") || "-"}`;
}
