import type { KubernetesObject } from "./manifests.js";

export interface Container {
  name: string;
  image: string;
  args?: string[];
  env?: { name: string; value?: string; valueFrom?: object }[];
  ports?: { name: string; containerPort: number }[];
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  securityContext?: object;
  readinessProbe?: object;
  livenessProbe?: object;
  startupProbe?: object;
  lifecycle?: object;
  volumeMounts?: { name: string; mountPath: string }[];
}

export interface PodSpec {
  serviceAccountName?: string;
  automountServiceAccountToken?: boolean;
  securityContext?: object;
  terminationGracePeriodSeconds?: number;
  nodeSelector?: Record<string, string>;
  tolerations?: object[];
  topologySpreadConstraints?: object[];
  /** Those that stay beside the others have a policy of restarts. */
  initContainers?: (Container & { restartPolicy?: string })[];
  containers: Container[];
  volumes?: { name: string; secret?: { secretName: string }; configMap?: { name: string } }[];
}

export interface Workload {
  name: string;
  kind: string;
  labels: Record<string, string>;
  spec: PodSpec;
}

const KINDS = ["Deployment", "StatefulSet", "Job"];

/** What runs pods of ours; those of PostgreSQL are its operator's. */
export function workloadsOf(objects: readonly KubernetesObject[]): Workload[] {
  return objects
    .filter(({ kind }) => KINDS.includes(kind))
    .map((object) => {
      const { template } = object.spec as {
        template: { metadata: { labels: Record<string, string> }; spec: PodSpec };
      };
      const { name } = object.metadata;
      return { name, kind: object.kind, labels: template.metadata.labels, spec: template.spec };
    });
}

export const isProcess = ({ labels }: Workload): boolean =>
  labels["app.kubernetes.io/part-of"] === "ml-platform";

/** Plain variables of the first container. */
export function environmentOf({ spec }: Workload): Record<string, string> {
  const { env = [] } = spec.containers[0]!;
  return Object.fromEntries(
    env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, String(value)]])),
  );
}

export function ofKind(objects: readonly KubernetesObject[], kind: string): KubernetesObject[] {
  return objects.filter((object) => object.kind === kind);
}

/** A field of an object by its path, as `spec.triggers.0.type`. */
export function at<T>(object: unknown, path: string): T {
  return path
    .split(".")
    .reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], object) as T;
}
