const MASK = "***";
const LONGEST = 1_000;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * A message for the log, without what might be a secret or somebody's text: what stands in quotes, credentials and
 * parameters of addresses, and long words of letters and digits, as keys and tokens are.
 */
export function maskedText(text: string): string {
  return text
    .slice(0, LONGEST)
    .replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, `$1${MASK}@`)
    .replaceAll(/([a-z][a-z0-9+.-]*:\/\/[^\s?"']*)\?[^\s"']*/gi, `$1?${MASK}`)
    .replaceAll(/"[^"]*("|$)|`[^`]*(`|$)/g, (quoted) => `${quoted[0]}${MASK}${quoted[0]}`)
    .replaceAll(/(^|[\s([=:])'[^']*('(?!\w)|$)/g, `$1'${MASK}'`)
    .replaceAll(/[A-Za-z0-9_+/=.-]{24,}/g, maskedWord);
}

/** Paths and addresses are looked at part by part. */
function maskedWord(word: string): string {
  return word
    .split(/([/.])/)
    .map((part) => (part.length >= 24 && /\d/.test(part) && !UUID.test(part) ? MASK : part))
    .join("");
}
