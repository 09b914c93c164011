// Runs in browsers: starts GraphiQL with a tab for each thing worth trying first.

interface Tab {
  query: string;
  variables?: string;
  headers?: string;
}

/** What the scripts before this one leave on the window, and what GraphiQL's editor looks for there. */
interface Globals {
  YogaGraphiQL: { renderYogaGraphiQL(root: Element, options: object): void };
  MonacoEnvironment: object;
}

const globals = self as unknown as Globals;

const tabs = [
  `# The curve in some weeks, by the model in production.
query Forecast {
  forecast(input: { curve: "ust-par-yield", horizons: [5, 21] }) {
    asOf
    coverage
    version {
      number
      model {
        name
      }
    }
    horizons {
      horizon
      date
      points {
        tenor
        mean
        lower
        upper
      }
    }
  }
}
`,
  `# By words and by meaning.
# With mode: LEXICAL, carbon permits come first.
query Search {
  search(
    input: {
      collection: "notes"
      query: "refinery profits shrink"
      mode: HYBRID
      filter: { publishedFrom: "2023-01-01T00:00:00Z" }
      facets: ["commodity", "region"]
    }
    first: 5
  ) {
    edges {
      score
      semanticRank
      lexicalRank
      highlight
      node {
        key
        title
        publishedAt
        metadata
      }
    }
    facets {
      key
      values {
        value
        count
      }
    }
    plan {
      mode
      strategy
      exhausted
      tookMs
    }
  }
}
`,
  `# Texts as vectors, by the model in production.
# The first two are close, the third is not.
query Embed {
  embed(
    input: {
      model: "note_embedder"
      texts: [
        "Allowances fell as industry emitted less."
        "Carbon permits lost value."
        "Low water delays barges on the Rhine."
      ]
    }
  ) {
    dimensions
    version {
      number
    }
    embeddings {
      tokens
      truncated
      vector
    }
  }
}
`,
  `# Oldest first; the argument after: takes endCursor and gives the next page.
query History {
  curve(name: "ust-par-yield") {
    unit
    snapshots(from: "2024-12-01", first: 5) {
      edges {
        node {
          date
          points {
            tenor
            value
          }
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
}
`,
  `# Run this first, then the tab Train: progress arrives here.
subscription Progress {
  trainingEvents {
    status
    progress
    message
    run {
      id
      model {
        name
      }
    }
  }
}
`,
  `mutation Train {
  startTraining(
    input: { curve: "ust-par-yield", model: "my_forecaster", type: RIDGE }
  ) {
    run {
      id
      status
    }
  }
}
`,
  `# Which version of each model serves, and how well it did out of sample.
query Models {
  models {
    edges {
      node {
        name
        kind
        production {
          number
          metrics {
            name
            value
          }
        }
      }
    }
  }
}
`,
];

const workers: Record<string, string> = {
  editorWorkerService: "/graphiql/editor-worker.js",
  json: "/graphiql/json-worker.js",
  graphql: "/graphiql/graphql-worker.js",
};

/** The tab that was open last, as GraphiQL keeps it; the first one on a first visit. */
function activeTab(): Tab {
  const kept = JSON.parse(localStorage.getItem("graphiql:tabState") ?? "null") as {
    tabs: Tab[];
    activeTabIndex: number;
  } | null;
  return kept?.tabs[kept.activeTabIndex] ?? { query: tabs[0]! };
}

/** A subscription's socket takes the token from the headers editor too; a browser sends no headers with it. */
function connectionParams(): Record<string, unknown> {
  try {
    const headers = Object.entries(JSON.parse(activeTab().headers ?? "{}") as Record<string, unknown>);
    return Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]));
  } catch {
    return {};
  }
}

globals.MonacoEnvironment = {
  globalAPI: false,
  getWorkerUrl: (_module: string, label: string) => workers[label],
};

globals.YogaGraphiQL.renderYogaGraphiQL(document.querySelector("#root")!, {
  title: "254Carbon ML",
  logo: '<img src="/pages/icon.svg" alt="" width="28" height="28" />',
  endpoint: "/graphql",
  subscriptionsProtocol: "WS",
  connectionParams,
  defaultTabs: tabs.map((query) => ({ query })),
  query: activeTab().query,
  variables: activeTab().variables,
  headers: localStorage.getItem("graphiql:headers") ?? undefined,
});

export {};
