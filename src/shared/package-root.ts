import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** The folder of this package's package.json, wherever within it the compiled code lies. */
export const PACKAGE_ROOT = rootAbove(import.meta.dirname);

function rootAbove(folder: string): string {
  if (existsSync(join(folder, "package.json"))) return folder;
  const above = dirname(folder);
  if (above === folder) throw new Error("package.json lies nowhere above the compiled code");
  return rootAbove(above);
}
