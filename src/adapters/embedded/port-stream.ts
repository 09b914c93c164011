import { Duplex } from "node:stream";
import type { MessagePort } from "node:worker_threads";

/** Sends a copy of its own: cloning a view would send all of the pool that it lies in. */
export function postBytes(port: MessagePort, bytes: Uint8Array): void {
  const copy = new Uint8Array(bytes);
  port.postMessage(copy, [copy.buffer]);
}

export function onBytes(port: MessagePort, receive: (bytes: Buffer) => void): void {
  port.on("message", (bytes: Uint8Array) => {
    receive(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  });
}

/**
 * A message port in the clothes of a `net.Socket`, as far as `pg` looks. There is no `setKeepAlive`:
 * BullMQ then looks for jobs every few seconds even if it was told of none.
 */
export class PortStream extends Duplex {
  constructor(private readonly port: MessagePort) {
    super();
    onBytes(port, (bytes) => this.push(bytes));
    port.on("close", () => {
      this.push(null);
      this.destroy();
    });
  }

  connect(): this {
    queueMicrotask(() => this.emit("connect"));
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  ref(): this {
    this.port.ref();
    return this;
  }

  unref(): this {
    this.port.unref();
    return this;
  }

  override _read(): void {
    // The port pushes whatever arrives: answers are bounded by what their queries ask for.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    postBytes(this.port, chunk);
    done();
  }

  /** What `pg` corks together, such as Parse, Bind, Execute and Sync, crosses the threads at once. */
  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    postBytes(this.port, Buffer.concat(chunks.map(({ chunk }) => chunk)));
    done();
  }

  override _final(done: () => void): void {
    this.port.close();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.port.close();
    done(error);
  }
}
