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
  /**
   * @param name the subject
   * @param alternatives e.g. `DNS:localhost` or `IP:127.0.0.1`
   * @param end a day from now unless told
   */
  issue(file: string, name: string, alternatives?: string, end?: Date): Promise<Certificate>;
}

const DAY_MS = 86_400_000;

/** What `openssl ca`, which alone takes an end to the second, wants to be told. */
const CONFIG = `[ca]
default_ca = own
[own]
database = INDEX
new_certs_dir = FOLDER
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
`;

/** As `20261130120000Z`. */
const instantOf = (date: Date) => `${date.toISOString().slice(0, 19).replaceAll(/[-T:]/g, "")}Z`;

/** A certificate authority of our own in a folder, valid for a day; needs the program `openssl`. */
export async function makeAuthority(folder: string, name: string): Promise<CertificateAuthority> {
  const ca = join(folder, `${name}.crt`);
  const caKey = join(folder, `${name}.key`);
  const fresh = ["-newkey", "rsa:2048", "-nodes", "-days", "1"];
  const openssl = (...args: string[]) => runProgram("openssl", args, { cwd: folder });
  const [index, config] = [join(folder, `${name}.index`), join(folder, `${name}.cnf`)];
  await writeFile(index, "");
  await writeFile(config, CONFIG.replace("INDEX", index).replace("FOLDER", folder));
  await openssl("req", "-x509", ...fresh, "-subj", `/CN=${name}`, "-keyout", caKey, "-out", ca);
  return {
    ca,
    issue: async (file, subject, alternatives = `DNS:${subject}`, end = new Date(Date.now() + DAY_MS)) => {
      const [cert, key, request, extensions] = ["crt", "key", "csr", "ext"].map((ext) =>
        join(folder, `${file}.${ext}`),
      ) as [string, string, string, string];
      await writeFile(extensions, `subjectAltName=${alternatives}\n`);
      await openssl("req", ...fresh.slice(0, 3), "-subj", `/CN=${subject}`, "-keyout", key, "-out", request);
      const span = ["-startdate", "20260101000000Z", "-enddate", instantOf(end)];
      const signed = ["-config", config, "-cert", ca, "-keyfile", caKey, "-extfile", extensions, ...span];
      await openssl("ca", "-batch", "-notext", "-in", request, "-out", cert, ...signed);
      return { cert, key };
    },
  };
}
