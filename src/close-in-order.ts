import type { Logger } from "./telemetry/logger.js";

/** For each step: an engine that is gone must not keep the process. */
const STEP_MS = 10_000;

/**
 * Closes one thing after the other; what fails or is late is logged and left.
 * @returns whether all closed
 */
export async function closeInOrder(
  steps: Record<string, () => void | Promise<void>>,
  logger: Logger,
): Promise<boolean> {
  let inOrder = true;
  for (const [what, close] of Object.entries(steps)) {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`not closed within ${STEP_MS} ms`)), STEP_MS);
    });
    try {
      await Promise.race([close(), late]);
    } catch (err) {
      inOrder = false;
      logger.warn({ event: "platform.not_closed", what, err }, `${what} did not close in order`);
    } finally {
      clearTimeout(timer);
    }
  }
  return inOrder;
}
