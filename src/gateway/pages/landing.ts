// Runs in browsers: shows how the platform is, until the samples are there, and copies the examples.

const ASK_AGAIN_MS = 2000;

interface Health {
  status: string;
  samples: string;
  tier: string;
}

const SAMPLES: Record<string, string> = {
  loading: "loading: notes and the Treasury curve, and the models that learn from them",
  loaded: "loaded: the queries below answer",
  failed: "failed: the platform's log says why",
  off: "switched off (ML_SAMPLES=false)",
};

function byId(id: string): HTMLElement {
  return document.getElementById(id)!;
}

function show(id: string, state: string, text: string): void {
  const element = byId(id);
  element.dataset.state = state;
  element.textContent = text;
}

async function showHealth(): Promise<void> {
  try {
    const health = (await (await fetch("/health")).json()) as Health;
    show("platform", health.status, health.status);
    show("samples", health.samples, SAMPLES[health.samples] ?? health.samples);
    show("tier", "ok", health.tier);
    if (health.samples !== "loading" && health.status === "ok") return;
  } catch {
    show("platform", "failing", "not answering");
  }
  setTimeout(() => void showHealth(), ASK_AGAIN_MS);
}

for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-copies]")) {
  button.addEventListener("click", () => void copy(button));
}

async function copy(button: HTMLButtonElement): Promise<void> {
  await navigator.clipboard.writeText(byId(button.dataset.copies!).textContent);
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), ASK_AGAIN_MS);
}

const command = byId("command");
command.textContent = command.textContent.replace("http://127.0.0.1:4000", location.origin);

void showHealth();

export {};
