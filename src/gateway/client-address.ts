import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";
import { reportUnknownProxy } from "../telemetry/events.js";

/** Tells who is behind a request: the connection's other end, or whom a proxy of ours says that it speaks for. */
export class ClientAddresses {
  private readonly proxies = new BlockList();
  private hasReported = false;

  /** @param proxies addresses and networks (`10.0.0.0/8`) whose `X-Forwarded-For` is believed */
  constructor(proxies: readonly string[]) {
    for (const proxy of proxies) {
      const [address = "", bits] = proxy.split("/");
      const family = isIP(address) === 6 ? "ipv6" : "ipv4";
      if (bits === undefined) this.proxies.addAddress(address, family);
      else this.proxies.addSubnet(address, Number(bits), family);
    }
  }

  /** The last address that no proxy of ours has: everything before it is hearsay. */
  of({ socket, headers }: IncomingMessage): string {
    const direct = plain(socket.remoteAddress ?? "");
    const forwarded = headers["x-forwarded-for"];
    if (forwarded === undefined) return direct;
    if (!this.isProxy(direct)) {
      this.report();
      return direct;
    }
    const claimed = [forwarded]
      .flat()
      .join(",")
      .split(",")
      .map((part) => plain(part.trim()));
    const stranger = claimed.reverse().find((address) => isIP(address) === 0 || !this.isProxy(address));
    return stranger === undefined || isIP(stranger) === 0 ? direct : stranger;
  }

  /** Once: anybody may send the header, and a proxy sends it with every request. */
  private report(): void {
    if (!this.hasReported) reportUnknownProxy();
    this.hasReported = true;
  }

  private isProxy(address: string): boolean {
    return isIP(address) !== 0 && this.proxies.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
  }
}

/** IPv4 as it is written, where a socket for both families shows it within IPv6. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
}
