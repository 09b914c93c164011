/** A text, or how to ask for it where it may change while the process runs. */
export type LiveText = string | (() => string);

export function textNow(text: LiveText): string {
  return typeof text === "function" ? text() : text;
}
