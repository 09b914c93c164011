import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "./run-program.js";
import { temporaryFolder } from "./temporary-folder.js";

/** `ca.crt`, and `server.crt`, `server.key`, `client.crt`, `client.key` that it has signed. */
export interface TestCertificates {
  folder: string;
  file(name: string): string;
  remove(): Promise<void>;
}

const DAYS = "2";

/** An authority of our own, a server's certificate for 127.0.0.1 and localhost, and a client's. */
export async function makeCertificates(): Promise<TestCertificates> {
  const { path, remove } = await temporaryFolder();
  const openssl = (...args: string[]) => runProgram("openssl", args, { cwd: path });
  const newKey = ["-newkey", "rsa:2048", "-nodes"];
  await openssl(
    ...["req", "-x509", ...newKey, "-days", DAYS, "-subj", "/CN=test authority"],
    ...["-keyout", "ca.key", "-out", "ca.crt"],
  );
  await writeFile(join(path, "names.cnf"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
  for (const name of ["server", "client"]) {
    await openssl(
      ...["req", ...newKey, "-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.csr`],
    );
    await openssl(
      ...["x509", "-req", "-in", `${name}.csr`, "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"],
      ...["-days", DAYS, "-extfile", "names.cnf", "-out", `${name}.crt`],
    );
  }
  return { folder: path, file: (name) => join(path, name), remove };
}
