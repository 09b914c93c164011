import { announcementOf, digestOf } from "../../support/registry.js";
import { eventually } from "../../support/platform.js";
import { NotAcknowledged } from "../graph-client.js";
import type { GraphClient } from "../graph-client.js";
import { offsetModel } from "../offset-model.js";
import { emptyVerdict } from "../writer.js";
import type { Operation, Verdict, Writer } from "../writer.js";

const VALIDATED_WITHIN_MS = 180_000;
const READY_WITHIN_MS = 5_000;

interface Announced {
  createModelVersion: {
    version: { number: number };
    upload: { url: string; method: string; headers: { name: string; value: string }[] };
  };
}

interface Version {
  status: string;
  rejection: string | null;
  artifact: { sha256: string; downloadUrl: string };
}

/** Uploads model versions; each that was completed must become READY and come back byte for byte. */
export class UploadsWriter implements Writer {
  readonly name = "uploads";
  readonly everyMs = 1_500;
  private readonly model: string;
  private readonly numbers = new Map<string, number>();
  private count = 0;

  constructor(
    run: string,
    /** `ready`: acknowledged counts what may serve, not what has arrived. */
    private readonly options: { ready?: boolean } = {},
  ) {
    this.model = `faults-uploads-${run}`;
  }

  async prepare(client: GraphClient): Promise<void> {
    await client.query(
      `mutation Register($input: RegisterModelInput!) { registerModel(input: $input) { model { id } } }`,
      { input: { name: this.model, kind: "TENSOR" } },
    );
  }

  next(): Operation {
    const key = String(this.count++);
    const bytes = bytesOf(key);
    return {
      key,
      send: async (client) => {
        const announced = await client.query<Announced>(
          `mutation Announce($input: CreateModelVersionInput!) { createModelVersion(input: $input) {
            version { number } upload { url method headers { name value } }
          } }`,
          { input: { model: this.model, ...announcementOf(bytes), idempotencyKey: `${this.model}-${key}` } },
        );
        const { version, upload } = announced.createModelVersion;
        const headers = Object.fromEntries(upload.headers.map(({ name, value }) => [name, value]));
        const sent = await client.send(upload.url, {
          method: upload.method,
          headers,
          body: Buffer.from(bytes),
        });
        await sent.arrayBuffer().catch(() => undefined);
        // CONFLICT: an earlier attempt came through, and its answer did not.
        if (!sent.ok && sent.status !== 409)
          throw new NotAcknowledged(`upload ${sent.status}`, "the upload was refused");
        await client.query(
          `mutation Complete($input: CompleteModelVersionInput!) { completeModelVersion(input: $input) { job { id } } }`,
          { input: { model: this.model, number: version.number } },
        );
        if (this.options.ready) await this.ready(client, version.number);
        this.numbers.set(key, version.number);
      },
    };
  }

  async verify(client: GraphClient, acknowledged: ReadonlySet<string>): Promise<Verdict> {
    const verdict = emptyVerdict();
    const numbers = [...acknowledged].map((key) => this.numbers.get(key)!);
    if (new Set(numbers).size < numbers.length) verdict.wrong.push("two uploads under one number");
    for (const key of acknowledged) {
      const number = this.numbers.get(key)!;
      const version = await this.validated(client, number);
      if (version.status !== "READY")
        verdict.lost.push(`version ${number}: ${version.status} ${version.rejection ?? ""}`);
      const content = await (await client.send(version.artifact.downloadUrl, {})).arrayBuffer();
      if (digestOf(new Uint8Array(content)) !== digestOf(bytesOf(key))) {
        verdict.wrong.push(`artifact of version ${number}`);
      }
    }
    return verdict;
  }

  private async ready(client: GraphClient, number: number): Promise<void> {
    const { status } = await this.validated(client, number, READY_WITHIN_MS).catch((error: Error) => {
      throw error instanceof NotAcknowledged ? error : new NotAcknowledged("LATE", error.message);
    });
    if (status !== "READY") throw new Error(`version ${number} is ${status}`);
  }

  private validated(client: GraphClient, number: number, timeoutMs = VALIDATED_WITHIN_MS): Promise<Version> {
    return eventually(
      async () => {
        const answer = await client.query<{ model: { version: Version } }>(
          `query Version($model: String!, $number: Int!) { model(name: $model) {
            version(number: $number) { status rejection artifact { sha256 downloadUrl } }
          } }`,
          { model: this.model, number },
        );
        return answer.model.version;
      },
      ({ status }) => status !== "PENDING",
      timeoutMs,
    );
  }
}

/** Different for each upload. */
export function bytesOf(key: string): Uint8Array {
  return offsetModel(1_000 + Number(key));
}
