import { createReadStream, createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { pipeline } from "node:stream/promises";
import { Decrypter, Encrypter } from "age-encryption";
import { PreconditionFailedError } from "../../shared/errors.js";

/**
 * Whom backups are encrypted for: public keys of age (`age1...`), whose owners open them with `age --decrypt`, too.
 * @throws {PreconditionFailedError} naming the one that is malformed
 */
export function encrypterFor(recipients: readonly string[]): Encrypter {
  const encrypter = new Encrypter();
  for (const recipient of recipients) {
    try {
      encrypter.addRecipient(recipient);
    } catch {
      throw new PreconditionFailedError(
        `ML_BACKUP_RECIPIENTS: "${recipient}" is not a public key of age, as age-keygen prints it (age1...)`,
      );
    }
  }
  return encrypter;
}

/** @throws {PreconditionFailedError} when one is malformed; its text is never told */
export function decrypterOf(identities: readonly string[]): Decrypter {
  const decrypter = new Decrypter();
  for (const identity of identities) {
    try {
      decrypter.addIdentity(identity);
    } catch {
      throw new PreconditionFailedError(
        "ML_BACKUP_IDENTITY: must be secret keys of age, as age-keygen prints them (AGE-SECRET-KEY-1...)",
      );
    }
  }
  return decrypter;
}

/** Writes `target`, which must not exist, for the recipients' eyes only. */
export async function encryptFile(source: string, target: string, encrypter: Encrypter): Promise<void> {
  await writeStream(await encrypter.encrypt(readStream(source)), target);
}

/** @throws {PreconditionFailedError} when none of the identities opens it, or it is damaged */
export async function decryptFile(source: string, target: string, decrypter: Decrypter): Promise<void> {
  try {
    await writeStream(await decrypter.decrypt(readStream(source)), target);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== undefined) throw cause;
    throw new PreconditionFailedError(
      "ML_BACKUP_IDENTITY: no key in it opens the backup, which is encrypted for other recipients; nothing was restored",
      { cause },
    );
  }
}

const readStream = (path: string) => Readable.toWeb(createReadStream(path)) as globalThis.ReadableStream;

async function writeStream(content: globalThis.ReadableStream, path: string): Promise<void> {
  const stream = Readable.fromWeb(content as ReadableStream);
  await pipeline(stream, createWriteStream(path, { flags: "wx", mode: 0o600 }));
}
