import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "./run-program.js";

export interface Certificate {
  cert: string;
  key: string;
}

export interface CertificateAuthority {
  /** File of its certificate. */
  ca: string;
  /** @param name the subject; @param alternatives e.g. `DNS:localhost` or `IP:127.0.0.1` */
  issue(file: string, name: string, alternatives?: string): Promise<Certificate>;
}

/** A certificate authority of our own in a folder, valid for a day; needs the program `openssl`. */
export async function makeAuthority(folder: string, name: string): Promise<CertificateAuthority> {
  const ca = join(folder, `${name}.crt`);
  const caKey = join(folder, `${name}.key`);
  const fresh = ["-newkey", "rsa:2048", "-nodes", "-days", "1"];
  const openssl = (...args: string[]) => runProgram("openssl", args, { cwd: folder });
  await openssl("req", "-x509", ...fresh, "-subj", `/CN=${name}`, "-keyout", caKey, "-out", ca);
  return {
    ca,
    issue: async (file, subject, alternatives = `DNS:${subject}`) => {
      const [cert, key, request, extensions] = ["crt", "key", "csr", "ext"].map((ext) =>
        join(folder, `${file}.${ext}`),
      ) as [string, string, string, string];
      await writeFile(extensions, `subjectAltName=${alternatives}\n`);
      await openssl("req", ...fresh.slice(0, 3), "-subj", `/CN=${subject}`, "-keyout", key, "-out", request);
      const signed = ["-CA", ca, "-CAkey", caKey, "-CAcreateserial", "-days", "1", "-extfile", extensions];
      await openssl("x509", "-req", "-in", request, "-out", cert, ...signed);
      return { cert, key };
    },
  };
}
