import { crc32 } from "node:zlib";

/** How every key begins: scanners for secrets that lie about look for it. */
export const KEY_MARK = "254c_";

const FORM = /^254c_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})_[0-9a-f]{64}_([0-9a-f]{8})$/;

/** What shows of a key: enough to tell it from others. */
export function prefixOf(id: string): string {
  return KEY_MARK + id;
}

/**
 * A key as its owner gets it, once: `254c_<id>_<secret>_<checksum>`.
 * @param secret 32 random bytes
 */
export function formatKey(id: string, secret: Uint8Array): string {
  const body = `${prefixOf(id)}_${Buffer.from(secret).toString("hex")}`;
  return `${body}_${checksumOf(body)}`;
}

/** Id of a key that is well formed; undefined for one that was mistyped or cut, without a look into the database. */
export function parseKey(key: string): { id: string } | undefined {
  const [, id, checksum] = FORM.exec(key) ?? [];
  if (id === undefined || checksumOf(key.slice(0, key.lastIndexOf("_"))) !== checksum) return undefined;
  return { id };
}

/** CRC-32: it finds slips, and is no protection. */
function checksumOf(body: string): string {
  return crc32(body).toString(16).padStart(8, "0");
}
