import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import type { PeerCertificate } from "node:tls";
import type { Identity, Role } from "../modules/identity/index.js";

/** Tells who calls by the certificate of the connection. */
export class ClientCertificates {
  private readonly byName = new Map<string, { name: string; roles: readonly Role[] }>();

  /** @param roles of each name: a subject (`CN=pricing,O=254carbon`, in any order) or one of `URI:` and `DNS:` */
  constructor(roles: Readonly<Record<string, readonly Role[]>>) {
    for (const [name, own] of Object.entries(roles)) this.byName.set(canonical(name), { name, roles: own });
  }

  /** Undefined without a certificate that was verified, and for one that nobody has named. */
  identify({ socket }: IncomingMessage): Identity | undefined {
    if (this.byName.size === 0 || !(socket instanceof TLSSocket) || !socket.authorized) return undefined;
    // A session that is resumed may have none, authorized though it is, or one that has ended meanwhile.
    const certificate = socket.getPeerCertificate() as Partial<PeerCertificate>;
    if (!isCurrent(certificate)) return undefined;
    const known = namesOf(certificate)
      .map((name) => this.byName.get(name))
      .find(Boolean);
    if (!known) return undefined;
    const caller = { subject: `cert:${known.name}`, roles: known.roles };
    return { caller, expiresAt: new Date(certificate.valid_to) };
  }
}

function isCurrent(certificate: Partial<PeerCertificate>): certificate is PeerCertificate {
  const { subject, valid_to: end } = certificate;
  return subject !== undefined && end !== undefined && Date.parse(end) > Date.now();
}

function namesOf({ subject, subjectaltname = "" }: PeerCertificate): string[] {
  const parts = Object.entries(subject as unknown as Record<string, string | string[]>).flatMap(
    ([type, values]) => [values].flat().map((value) => `${type}=${escaped(value)}`),
  );
  // Node puts a name with a comma in it into quotes, so that none can pretend to be two.
  const alternatives = subjectaltname.split(", ").filter((name) => /^(URI|DNS):[^"]+$/.test(name));
  return [parts.sort().join(","), ...alternatives];
}

function escaped(value: string): string {
  return value.replace(/[\\,]/g, "\\$&");
}

/** Parts of a subject in one order; a comma within a part is written as `\\,`. */
function canonical(name: string): string {
  if (/^(URI|DNS):/.test(name)) return name;
  return (name.match(/(?:\\.|[^,\\])+/g) ?? []).sort().join(",");
}
