import { generateKeyPairSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { SignJWT } from "jose";

type Algorithm = "RS256" | "PS256" | "ES256" | "ES384" | "EdDSA";

/** What a provider signs with, and what it publishes of it. */
export interface ProviderKey {
  kid: string;
  algorithm: Algorithm;
  privateKey: KeyObject;
  jwk: Record<string, unknown>;
}

let keysMade = 0;

export function makeProviderKey(algorithm: Algorithm, modulusLength = 2048): ProviderKey {
  const { privateKey, publicKey } =
    algorithm === "EdDSA"
      ? generateKeyPairSync("ed25519")
      : algorithm === "ES256" || algorithm === "ES384"
        ? generateKeyPairSync("ec", { namedCurve: algorithm === "ES256" ? "P-256" : "P-384" })
        : generateKeyPairSync("rsa", { modulusLength });
  const kid = `key-${++keysMade}`;
  return { kid, algorithm, privateKey, jwk: { ...publicKey.export({ format: "jwk" }), kid, use: "sig" } };
}

/** A token as the provider issues it; `claims` and `header` change what is usual. */
export function signByProvider(
  { kid, algorithm, privateKey }: ProviderKey,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const usual = { iss: "254carbon", aud: "254carbon-ml", sub: "ann@provider", exp: now + 600 };
  return new SignJWT({ ...usual, ...claims })
    .setProtectedHeader({ alg: algorithm, typ: "at+jwt", kid, ...header })
    .sign(privateKey);
}

type Answer = (response: ServerResponse) => void;

/** A server that publishes keys as an identity provider does, and can be made to misbehave. */
export class IdentityProvider {
  private readonly server = createServer((_request, response) => {
    this.asked++;
    this.answer(response);
  });
  private answer: Answer = (response) => response.end('{"keys":[]}');
  /** How often it was asked. */
  asked = 0;

  static async start(): Promise<IdentityProvider> {
    const provider = new IdentityProvider();
    provider.server.listen(0, "127.0.0.1");
    await once(provider.server, "listening");
    return provider;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/keys`;
  }

  publish(...keys: (ProviderKey | Record<string, unknown>)[]): void {
    const body = JSON.stringify({ keys: keys.map((key) => ("jwk" in key ? key.jwk : key)) });
    this.respond((response) => response.end(body));
  }

  respond(answer: Answer): void {
    this.answer = answer;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close");
  }
}
