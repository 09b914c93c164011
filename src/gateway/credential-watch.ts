import type { Identity } from "../modules/identity/index.js";

const LOOK_AGAIN_MS = 5_000;

/**
 * Calls `end`, once, soon after the credentials have ended: by their time, or because their key was revoked. Whoever
 * cannot be asked has nothing to say against them.
 * @returns stops watching
 */
export function watchCredentials(
  { expiresAt, apiKey }: Identity,
  isActive: (apiKey: string) => Promise<boolean>,
  end: (reason: string) => void,
): () => void {
  if (!expiresAt && apiKey === undefined) return () => undefined;
  const look = async (): Promise<void> => {
    const expired = expiresAt !== undefined && expiresAt.getTime() <= Date.now();
    const active = expired || apiKey === undefined || (await isActive(apiKey).catch(() => true));
    if (!expired && active) return;
    clearInterval(timer);
    end(expired ? "the token has expired" : "the API key has ended");
  };
  const timer = setInterval(() => void look(), LOOK_AGAIN_MS);
  void look();
  return () => clearInterval(timer);
}
