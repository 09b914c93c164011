import type { KubernetesObject } from "./manifests.js";
import { workloadsOf } from "./workloads.js";

interface Selector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values: string[] }[];
}
interface Peer {
  podSelector?: Selector;
  namespaceSelector?: Selector;
  ipBlock?: { cidr: string; except?: string[] };
}
interface Rule {
  from?: Peer[];
  to?: Peer[];
  ports?: { protocol: string; port: number }[];
}
export interface Policy {
  name: string;
  selector: Selector;
  types: string[];
  ingress: Rule[];
  egress: Rule[];
}

/** Pods of one kind, and where they listen. */
export interface Endpoint {
  name: string;
  labels: Record<string, string>;
  ports: number[];
}

export function policiesOf(objects: readonly KubernetesObject[]): Policy[] {
  return objects
    .filter(({ kind }) => kind === "NetworkPolicy")
    .map(({ metadata, spec }) => {
      const { podSelector, policyTypes, ingress, egress } = spec as {
        podSelector: Selector;
        policyTypes: string[];
        ingress?: Rule[];
        egress?: Rule[];
      };
      const rules = { ingress: ingress ?? [], egress: egress ?? [] };
      return { name: metadata.name, selector: podSelector, types: policyTypes, ...rules };
    });
}

/** Pods that CloudNativePG makes: the server, its instance manager, its metrics; PgBouncer and its metrics. */
const POSTGRES: Endpoint = {
  name: "postgres",
  labels: { "cnpg.io/cluster": "postgres", "cnpg.io/podRole": "instance" },
  ports: [5432, 8000, 9187],
};
const POOLER: Endpoint = {
  name: "pooler",
  labels: { "cnpg.io/cluster": "postgres", "cnpg.io/podRole": "pooler", "cnpg.io/poolerName": "pooler" },
  ports: [5432, 9127],
};
/** What copies the primary before there is a new standby. */
export const JOINING: Endpoint = {
  name: "postgres-join",
  labels: { "cnpg.io/cluster": "postgres", "cnpg.io/jobRole": "join" },
  ports: [],
};

export function endpointsOf(objects: readonly KubernetesObject[]): Endpoint[] {
  const ours = workloadsOf(objects).map(({ name, labels, spec }) => ({
    ...{ name, labels },
    ports: spec.containers.flatMap(({ ports = [] }) => ports.map(({ containerPort }) => containerPort)),
  }));
  return [...ours, POSTGRES, POOLER];
}

export function selects(
  { matchLabels = {}, matchExpressions = [] }: Selector,
  { labels }: Endpoint,
): boolean {
  return (
    Object.entries(matchLabels).every(([name, value]) => labels[name] === value) &&
    matchExpressions.every(({ key, operator, values }) => {
      if (operator !== "In" && operator !== "NotIn") throw new Error(`${operator} is not understood here`);
      return values.includes(labels[key]!) === (operator === "In");
    })
  );
}

/** Holes between pods of the namespace, as `gateway > postgres:5432`. */
export function holesWithin(
  policies: readonly Policy[],
  endpoints: readonly Endpoint[],
  way: "ingress" | "egress",
): Set<string> {
  const holes = new Set<string>();
  for (const policy of policies) {
    const own = endpoints.filter((endpoint) => selects(policy.selector, endpoint));
    for (const { from = [], to = [], ports = [] } of policy[way]) {
      const peers = [...from, ...to].filter(
        ({ podSelector, namespaceSelector }) => podSelector && !namespaceSelector,
      );
      const others = endpoints.filter((endpoint) =>
        peers.some(({ podSelector }) => selects(podSelector!, endpoint)),
      );
      for (const one of own) {
        for (const other of others) {
          const [source, target] = way === "egress" ? [one, other] : [other, one];
          for (const { port } of ports) holes.add(`${source.name} > ${target.name}:${port}`);
        }
      }
    }
  }
  return holes;
}

/** Holes towards and from anywhere else, as `platform-to-s3: egress 443`. */
export function holesOutside(policies: readonly Policy[]): string[] {
  return policies.flatMap((policy) =>
    (["ingress", "egress"] as const).flatMap((way) =>
      policy[way]
        .filter(({ from, to }) => {
          const peers = [...(from ?? []), ...(to ?? [])];
          return (
            peers.length === 0 || peers.some(({ namespaceSelector, ipBlock }) => namespaceSelector ?? ipBlock)
          );
        })
        .map(({ ports = [] }) => `${policy.name}: ${way} ${ports.map(({ port }) => port).join(" ")}`),
    ),
  );
}
