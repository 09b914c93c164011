import { askForecast } from "../support/forecasts.js";
import { marketNotes } from "../support/market-notes.js";
import { eventually, startPlatform } from "../support/platform.js";
import type { Platform } from "../support/platform.js";
import { rawRequest } from "../support/raw-http.js";

const LOADING_MS = 240_000;
const notes = marketNotes();
const environment = { ML_SAMPLES: "true" };

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ environment });
});

afterAll(() => platform.remove());

interface Progress {
  collection: {
    documentCount: number;
    pendingCount: number;
    embedder: { number: number; model: { name: string } } | null;
  } | null;
  noteEmbedder: { versions: { totalCount: number }; transitions: { totalCount: number } } | null;
  forecaster: { versions: { totalCount: number }; transitions: { totalCount: number } } | null;
}

function progress(): Promise<Progress> {
  return platform.query(`{
    collection(name: "notes") { documentCount pendingCount embedder { number model { name } } }
    noteEmbedder: model(name: "note_embedder") { versions { totalCount } transitions { totalCount } }
    forecaster: model(name: "curve_forecaster") { versions { totalCount } transitions { totalCount } }
  }`);
}

async function samples(): Promise<string> {
  return (JSON.parse((await rawRequest(`${platform.url}/health`)).body) as { samples: string }).samples;
}

async function killAndStartAgain(): Promise<void> {
  await platform.stop("SIGKILL");
  platform = await startPlatform({ environment, dataDir: platform.dataDir });
}

test("a first start that is killed on its way ends with everything there, once", async () => {
  await eventually(progress, ({ collection }) => collection?.documentCount === notes.length);
  expect(await samples()).toBe("loading");
  await killAndStartAgain();
  await eventually(progress, ({ noteEmbedder }) => noteEmbedder?.transitions.totalCount === 1, LOADING_MS);
  await killAndStartAgain();
  expect(await eventually(samples, (state) => state !== "loading", LOADING_MS)).toBe("loaded");
  const once = { versions: { totalCount: 1 }, transitions: { totalCount: 1 } };
  const loaded = {
    collection: {
      documentCount: notes.length,
      pendingCount: 0,
      embedder: { number: 1, model: { name: "note_embedder" } },
    },
    noteEmbedder: once,
    forecaster: once,
  };
  expect(await progress()).toEqual(loaded);
  expect((await askForecast(platform, { curve: "ust-par-yield" })).errors).toBeUndefined();

  await platform.stop();
  platform = await startPlatform({ environment, dataDir: platform.dataDir });
  expect(await eventually(samples, (state) => state !== "loading")).toBe("loaded");
  expect(await progress()).toEqual(loaded);
}, 600_000);

interface Found {
  search: { edges: { node: { key: string } }[] };
}

async function find(query: string, mode: string, filter: object = {}): Promise<string[]> {
  const { search } = await platform.query<Found>(
    `query Find($input: SearchInput!) { search(input: $input, first: 5) { edges { node { key } } } }`,
    { input: { collection: "notes", query, mode, filter } },
  );
  return search.edges.map(({ node }) => node.key);
}

describe("meaning beats words:", () => {
  // The words of each query lead to another note first.
  test.each([
    ["underground stocks shrink quickly", "storage-drawdown-2024"],
    ["photovoltaic glut at noon", "negative-midday"],
    ["refinery profits shrink", "diesel-weak-2024"],
    ["burying factory exhaust below the seabed", "ccs-norway-open"],
    ["drought delays ships", "lng-panama-drought"],
    ["Scandinavian dams overflow", "nordic-hydro-wet"],
    ["spare parts missing at atomic stations", "sweden-reactor-generator"],
    ["hedge funds bet on falling permits", "eua-cot-shorts"],
    ["polar air freezes wells", "freeze-off-texas"],
  ])("%s", async (query, key) => {
    expect((await find(query, "SEMANTIC"))[0]).toBe(key);
    expect((await find(query, "LEXICAL"))[0]).not.toBe(key);
    expect((await find(query, "HYBRID")).slice(0, 3)).toContain(key);
  });
});

test("filters by commodity and date keep to what they say", async () => {
  const filter = {
    metadata: { commodity: "carbon", region: ["EU", "UK"] },
    publishedFrom: "2024-01-01T00:00:00Z",
  };
  const known = new Map(notes.map((note) => [note.key, note]));
  for (const mode of ["SEMANTIC", "LEXICAL", "HYBRID"]) {
    const keys = await find("permits become cheaper", mode, filter);
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) {
      const { metadata, publishedAt } = known.get(key)!;
      expect(metadata).toMatchObject({
        commodity: "carbon",
        region: expect.stringMatching(/^(EU|UK)$/) as string,
      });
      expect(publishedAt! >= "2024").toBe(true);
    }
  }
});
