/** Where onnxruntime's own source raised the error: a path, a line and the signature of a C++ function. */
const sourceLocation = /\S*\/[\w./-]+\.(?:cc|h|cpp):\d+ [^()]*\([^)]*\)(?: const)?:?\s*/g;
const loadPreamble = /^Load model from .* failed:/;
const nodePreamble =
  /^Non-zero status code returned while running (\S+) node\. Name:'([^']*)' Status Message: /;
const longest = 500;

/**
 * What onnxruntime said, without its source locations and the server's paths.
 * @param folder where the model lies
 */
export function runtimeMessage(error: unknown, folder?: string): string {
  const raw = error instanceof Error ? error.message : String(error);
  let text = raw.replace(loadPreamble, "").replace(nodePreamble, nodePrefix).replace(sourceLocation, "");
  if (folder) text = text.replaceAll(`${folder}/`, "").replaceAll(folder, "");
  text = text.replace(/\s+/g, " ").trim();
  return text.length > longest ? `${text.slice(0, longest)}...` : text;
}

function nodePrefix(_: string, operator: string, name: string): string {
  return name ? `${operator} (${name}): ` : `${operator}: `;
}
