/** Waits until the condition holds; fails after ten seconds, naming it. */
export async function until(condition: () => boolean | Promise<boolean>, limitMs = 10_000): Promise<void> {
  const began = performance.now();
  while (!(await condition())) {
    const waited = performance.now() - began;
    if (waited > limitMs) throw new Error(`still not so after ${limitMs} ms: ${condition.toString()}`);
    // Asking takes time from what is waited for.
    await new Promise((resolve) => setTimeout(resolve, Math.min(10 + waited / 10, 100)));
  }
}
