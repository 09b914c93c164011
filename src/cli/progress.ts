import { Presets, SingleBar } from "cli-progress";

/** Shows how far something is. */
export interface Progress {
  /** @param share 0 to 1 */
  update(share: number, message: string): void;
  /** Takes the bar off the screen while a question is asked. */
  pause(): void;
  resume(): void;
  stop(): void;
}

/** A bar on a terminal; elsewhere plain lines, at most one a second. */
export function startProgress(stream: NodeJS.WriteStream, label: string): Progress {
  return stream.isTTY ? new BarProgress(stream, label) : new LineProgress(stream, label);
}

class BarProgress implements Progress {
  private readonly bar: SingleBar;

  constructor(
    stream: NodeJS.WriteStream,
    private readonly label: string,
    private share = 0,
    private message = "",
  ) {
    this.bar = new SingleBar(
      {
        stream,
        format: "{label} [{bar}] {percentage}% {message}",
        barsize: 30,
        hideCursor: true,
        fps: 10,
        forceRedraw: false,
        emptyOnZero: true,
      },
      Presets.legacy,
    );
    this.resume();
  }

  update(share: number, message: string): void {
    this.share = share;
    this.message = message;
    if (this.bar.isActive) this.bar.update(share * 100, { message });
  }

  pause(): void {
    this.bar.stop();
  }

  resume(): void {
    this.bar.start(100, this.share * 100, { label: this.label, message: this.message });
  }

  stop(): void {
    if (this.bar.isActive) this.bar.stop();
  }
}

const LINE_INTERVAL_MS = 1000;

class LineProgress implements Progress {
  private written = "";
  private latest = "";
  private writtenAt = -LINE_INTERVAL_MS;
  private paused = false;

  constructor(
    private readonly stream: NodeJS.WriteStream,
    private readonly label: string,
  ) {}

  update(share: number, message: string): void {
    this.latest = `${this.label} ${Math.round(share * 100)}% ${message}`.trimEnd();
    if (performance.now() - this.writtenAt >= LINE_INTERVAL_MS) this.write();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  stop(): void {
    this.write();
  }

  private write(): void {
    if (this.paused || this.latest === this.written) return;
    this.stream.write(`${this.latest}\n`);
    this.written = this.latest;
    this.writtenAt = performance.now();
  }
}
