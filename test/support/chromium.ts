import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { WebSocket } from "ws";
import { programPath } from "./program-path.js";
import { until } from "./until.js";

/** Where Chromium lies on this machine, if it does. */
export const chromiumPath = programPath("chromium");

const FLAGS = [
  "--headless=new",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--window-size=1400,900",
  "--remote-debugging-port=0",
  // Its sandbox does not start for root, who runs tests in containers.
  ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
];

/** A page in a browser of its own. */
export interface BrowserPage {
  /** URLs of all requests that the page made, in order; sockets too. */
  requests: string[];
  /** Uncaught exceptions, console errors and refusals by the content security policy. */
  complaints: string[];
  open(url: string): Promise<void>;
  /** The value of a JavaScript expression in the page, which must be JSON. */
  evaluate<T>(expression: string): Promise<T>;
  /** Clicks on what the selector finds, as soon as it is there. */
  click(selector: string): Promise<void>;
  close(): Promise<void>;
}

/** The events that are listened to; there are many more. */
type PageEvent =
  | { method: "Network.requestWillBeSent"; params: { request: { url: string } } }
  | { method: "Network.webSocketCreated"; params: { url: string } }
  | { method: "Runtime.exceptionThrown"; params: object }
  | { method: "Runtime.consoleAPICalled"; params: { type: string } }
  | { method: "Log.entryAdded"; params: { entry: { level: string } } };

interface Reply {
  id: number;
  result: object;
  error?: { message: string };
}

function isComplaint(event: PageEvent): boolean {
  switch (event.method) {
    case "Runtime.exceptionThrown":
      return true;
    case "Runtime.consoleAPICalled":
      return event.params.type === "error";
    case "Log.entryAdded":
      return event.params.entry.level === "error";
    default:
      return false;
  }
}

/** The few words of the DevTools protocol that the tests need. */
class DevTools {
  private readonly pending = new Map<number, (reply: Reply) => void>();
  private last = 0;

  private constructor(
    private readonly socket: WebSocket,
    onEvent: (event: PageEvent) => void,
  ) {
    socket.on("message", (data: Buffer) => {
      const message = JSON.parse(data.toString()) as Reply | PageEvent;
      if ("method" in message) return onEvent(message);
      this.pending.get(message.id)?.(message);
      this.pending.delete(message.id);
    });
  }

  static async connect(url: string, onEvent: (event: PageEvent) => void): Promise<DevTools> {
    const socket = new WebSocket(url);
    await once(socket, "open");
    return new DevTools(socket, onEvent);
  }

  async send<T>(method: string, params: object = {}, sessionId?: string): Promise<T> {
    const id = ++this.last;
    const reply = new Promise<Reply>((resolve) => this.pending.set(id, resolve));
    this.socket.send(JSON.stringify({ id, method, params, sessionId }));
    const { result, error } = await reply;
    if (error) throw new Error(`${method}: ${error.message}`);
    return result as T;
  }
}

export async function openBrowser(executable: string): Promise<BrowserPage> {
  const profile = await mkdtemp(join(tmpdir(), "254carbon-chromium-"));
  const browser = spawn(executable, [...FLAGS, `--user-data-dir=${profile}`, "about:blank"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const requests: string[] = [];
  const complaints: string[] = [];
  const devTools = await DevTools.connect(await addressOf(browser.stderr), (event) => {
    if (event.method === "Network.requestWillBeSent") requests.push(event.params.request.url);
    if (event.method === "Network.webSocketCreated") requests.push(event.params.url);
    if (isComplaint(event)) complaints.push(JSON.stringify(event.params));
  });
  const { targetInfos } = await devTools.send<{ targetInfos: { type: string; targetId: string }[] }>(
    "Target.getTargets",
  );
  const { targetId } = targetInfos.find(({ type }) => type === "page")!;
  const { sessionId } = await devTools.send<{ sessionId: string }>("Target.attachToTarget", {
    targetId,
    flatten: true,
  });
  const send = <T>(method: string, params: object = {}) => devTools.send<T>(method, params, sessionId);
  for (const domain of ["Network", "Runtime", "Log", "Page"]) await send(`${domain}.enable`);

  const evaluate = async <T>(expression: string): Promise<T> => {
    const { result, exceptionDetails } = await send<{
      result: { value: T };
      exceptionDetails?: { text: string };
    }>("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.text}`);
    return result.value;
  };
  return {
    requests,
    complaints,
    open: async (url) => {
      await send("Page.navigate", { url });
    },
    evaluate,
    click: (selector) =>
      until(() => {
        const element = `document.querySelector(${JSON.stringify(selector)})`;
        return evaluate<boolean>(`${element} !== null && (${element}.click(), true)`);
      }, 30_000),
    close: async () => {
      const exited = once(browser, "exit");
      await devTools.send("Browser.close");
      await exited;
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Chromium says on stderr where its DevTools listen. */
async function addressOf(stderr: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: stderr })) {
    const url = /^DevTools listening on (ws:\S+)/.exec(line)?.[1];
    if (url !== undefined) {
      stderr.resume();
      return url;
    }
  }
  throw new Error("Chromium ended before it listened");
}
