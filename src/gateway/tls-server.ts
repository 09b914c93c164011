import { readFile } from "node:fs/promises";
import type { Server } from "node:https";
import type { SecureContextOptions } from "node:tls";
import { PreconditionFailedError } from "../shared/errors.js";

/** Secrets in Kubernetes are links that are exchanged, of which no watch tells reliably. */
const LOOK_EVERY_MS = 2_000;

const HANDSHAKE_TIMEOUT_MS = 10_000;

export interface TlsServerFiles {
  cert: string;
  key: string;
  /** Of the authority whose certificates tell who a client is. */
  clientCa?: string;
}

/** What a door listens with, and keeps up with when the files change. */
export class TlsServer {
  private constructor(
    private readonly files: TlsServerFiles,
    private content: SecureContextOptions,
    private readonly onFailure: (error: Error) => void,
  ) {}

  /**
   * @param onFailure told when changed files cannot be used: the ones before stay
   * @throws {PreconditionFailedError} naming the variable whose file cannot be read
   */
  static async read(files: TlsServerFiles, onFailure: (error: Error) => void): Promise<TlsServer> {
    return new TlsServer(files, await contentOf(files), onFailure);
  }

  /** For `https.createServer`. A certificate that is not valid is as good as none: there are other credentials. */
  get options() {
    return {
      ...this.content,
      minVersion: "TLSv1.3" as const,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      requestCert: this.files.clientCa !== undefined,
      rejectUnauthorized: false,
    };
  }

  /** @returns stops looking */
  follow(server: Server): () => void {
    const timer = setInterval(() => void this.look(server).catch(this.onFailure), LOOK_EVERY_MS);
    timer.unref();
    return () => clearInterval(timer);
  }

  private async look(server: Server): Promise<void> {
    const content = await contentOf(this.files);
    if (String(Object.values(content)) === String(Object.values(this.content))) return;
    // Throws for a key that is not the certificate's, as between the exchange of the two.
    server.setSecureContext({ ...content, minVersion: "TLSv1.3" });
    this.content = content;
  }
}

async function contentOf({ cert, key, clientCa }: TlsServerFiles): Promise<SecureContextOptions> {
  return {
    cert: await read("ML_TLS_CERT", cert),
    key: await read("ML_TLS_KEY", key),
    ...(clientCa === undefined ? {} : { ca: await read("ML_TLS_CLIENT_CA", clientCa) }),
  };
}

async function read(variable: string, file: string): Promise<string> {
  return readFile(file, "utf8").catch((error: Error) => {
    throw new PreconditionFailedError(`${variable}: the file cannot be read: ${error.message}`);
  });
}
