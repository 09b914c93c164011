import { readFromRoot } from "./compose-file.js";

export interface Chapter {
  title: string;
  text: string;
}

export const runbook = readFromRoot("deploy/runbook.md");

/** What is below a heading of the second level. */
export function part(title: string): string {
  return runbook.split(/^## /m).find((text) => text.startsWith(`${title}\n`))!;
}

/** The chapters of such a part. */
export function chapters(title: string): Chapter[] {
  return part(title)
    .split(/^### /m)
    .slice(1)
    .map((text) => ({ title: text.slice(0, text.indexOf("\n")), text }));
}

/** Lines of a shell in a text, without their comments. */
export function shellLines(text: string): string[] {
  const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block]) => block!.split("\n"));
  return blocks.map((line) => line.replace(/\s{2,}#.*$/, "").trim()).filter((line) => line !== "");
}

/** Whatever the page gives to be typed; not what tables of the old estate have on their left. */
export const commandLines: string[] = [
  ...shellLines(runbook),
  ...[...withoutOldSide(runbook).matchAll(/`([^`\n]+)`/g)].map(([, span]) => span!),
];

/** What names things of ours: all but the left side of the old estate's tables. */
export function withoutOldSide(text: string): string {
  const [before, after] = text.split(/^## From the old estate$/m);
  return `${before}${(after ?? "").replaceAll(/^\|[^|]*\|/gm, "|")}`;
}

/** Words of a shell's line, quotes taken off; up to where another command begins. */
export function words(line: string): string[] {
  const found: string[] = [];
  for (const [, quoted, double, plain] of line.matchAll(/'([^']*)'|"([^"]*)"|([^\s'"]+)/g)) {
    if (plain !== undefined && /^([|;&]+|\))$/.test(plain)) break;
    found.push(quoted ?? double ?? plain!.replace(/[;)]$/, ""));
  }
  return found;
}
