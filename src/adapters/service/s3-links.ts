import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import type { S3Client } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import type { DirectLink } from "../../ports/object-store.js";

const CHECKSUM = "x-amz-checksum-sha256";

/** Presigned links into a bucket: made without asking the store. */
export class S3Links {
  /** @param client of the endpoint that clients reach */
  constructor(
    private readonly client: S3Client,
    private readonly bucket: string,
  ) {}

  /**
   * The digest is a header that the signature covers, so a store that checks it refuses other bytes at once. There is
   * no If-None-Match: whoever has sent wrong bytes may send the right ones over the same link.
   */
  async upload(key: string, sha256: string, seconds: number): Promise<DirectLink> {
    const checksum = Buffer.from(sha256, "hex").toString("base64");
    const command = new PutObjectCommand({ Bucket: this.bucket, Key: key, ChecksumSHA256: checksum });
    const url = await getSignedUrl(this.client, command, {
      expiresIn: seconds,
      unhoistableHeaders: new Set([CHECKSUM]),
    });
    return { url, headers: { [CHECKSUM]: checksum }, expiresAt: after(seconds) };
  }

  async download(key: string, fileName: string, seconds: number): Promise<DirectLink> {
    const command = new GetObjectCommand({
      Bucket: this.bucket,
      Key: key,
      ResponseContentType: "application/octet-stream",
      ResponseContentDisposition: `attachment; filename="${fileName}"`,
    });
    const url = await getSignedUrl(this.client, command, { expiresIn: seconds });
    return { url, headers: {}, expiresAt: after(seconds) };
  }

  close(): void {
    this.client.destroy();
  }
}

function after(seconds: number): Date {
  return new Date(Date.now() + seconds * 1000);
}
