// Shows how the platform is, until the samples are there, and copies the examples. Plain JavaScript: it runs in
// browsers as it is.

const ASK_AGAIN_MS = 2000;

const SAMPLES = {
  loading: "loading: importing the Treasury curve and training its model",
  loaded: "loaded: the query below answers",
  failed: "failed: the platform's log says why",
  off: "switched off (ML_SAMPLES=false)",
};

function show(id, state, text) {
  const element = document.getElementById(id);
  element.dataset.state = state;
  element.textContent = text;
}

async function showHealth() {
  try {
    const health = await (await fetch("/health")).json();
    show("platform", health.status, health.status);
    show("samples", health.samples, SAMPLES[health.samples] ?? health.samples);
    show("tier", "ok", health.tier);
    if (health.samples !== "loading" && health.status === "ok") return;
  } catch {
    show("platform", "failing", "not answering");
  }
  setTimeout(showHealth, ASK_AGAIN_MS);
}

for (const button of document.querySelectorAll("button[data-copies]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), ASK_AGAIN_MS);
  });
}

const command = document.getElementById("command");
command.textContent = command.textContent.replace("http://127.0.0.1:4000", location.origin);

void showHealth();
