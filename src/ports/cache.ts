/** Bytes that may be forgotten at any time. A cache that is away answers like one that has forgotten: it never fails. */
export interface Cache {
  /** Undefined when it is not known, or not in time. */
  get(key: string): Promise<Uint8Array | undefined>;

  /** @param seconds how long it may be kept at most */
  set(key: string, value: Uint8Array, seconds: number): Promise<void>;

  close(): Promise<void>;
}
