import { renderOverlay } from "./manifests.js";
import { JOINING, endpointsOf, holesOutside, holesWithin, policiesOf, selects } from "./network.js";
import { environmentOf, isProcess, workloadsOf } from "./workloads.js";

const [staging, production] = await Promise.all(["staging", "production"].map(renderOverlay));

describe.each([
  ["staging", staging!],
  ["production", production!],
])("in %s", (name, objects) => {
  const policies = policiesOf(objects);
  const endpoints = endpointsOf(objects);

  test("nobody reaches anybody unless a policy says so, and each policy is about somebody", () => {
    const denial = policies.find((policy) => policy.name === "default-deny")!;
    expect(denial).toMatchObject({ selector: {}, types: ["Ingress", "Egress"], ingress: [], egress: [] });
    for (const policy of policies) {
      expect([policy.name, endpoints.some((each) => selects(policy.selector, each))]).toEqual([
        policy.name,
        true,
      ]);
    }
  });

  test("what one may send another may receive, at a port where somebody listens", () => {
    const sent = holesWithin(policies, endpoints, "egress");
    const received = holesWithin(policies, endpoints, "ingress");
    expect([...sent].sort()).toEqual([...received].sort());
    for (const hole of sent) {
      const [, target, port] = /> (.*):(\d+)$/.exec(hole)!;
      expect(endpoints.find((each) => each.name === target)!.ports).toContain(Number(port));
    }
  });

  test("every process reaches its engines, and no engine reaches another but the pooler PostgreSQL, and its instances each other", () => {
    const sent = [...holesWithin(policies, endpoints, "egress")];
    const processes = workloadsOf(objects).filter(isProcess);
    const engines = ["postgres:5432", "pooler:5432", "redis-queue:6379", "redis-cache:6379"];
    const stores = name === "staging" ? ["minio:9000"] : [];
    const wanted = processes.flatMap((each) =>
      [...engines, ...stores].map((engine) => `${each.name} > ${engine}`),
    );
    const among = ["pooler > postgres:5432", "postgres > postgres:5432", "postgres > postgres:8000"];
    const filled = name === "staging" ? ["create-buckets > minio:9000", "postgres > minio:9000"] : [];
    expect(sent.sort()).toEqual([...wanted, ...among, ...filled].sort());
    for (const process of processes) {
      const { hostname, port } = new URL(environmentOf(process).ML_S3_ENDPOINT!);
      expect([hostname, port]).toEqual(
        name === "staging" ? ["minio", "9000"] : ["s3.eu-central-1.amazonaws.com", ""],
      );
    }
  });

  test("a job that makes an instance reaches what an instance does", () => {
    const joining = [...endpoints, JOINING];
    const targets = (source: string) =>
      [...holesWithin(policies, joining, "egress")].flatMap((hole) => {
        const [from, to] = hole.split(" > ");
        return from === source && !to!.startsWith(JOINING.name) ? [to] : [];
      });
    expect(targets(JOINING.name)).toEqual(targets("postgres"));
    expect(targets(JOINING.name)).toContain("postgres:5432");
    const received = holesWithin(policies, joining, "ingress");
    expect([...received]).toContain("postgres-join > postgres:5432");
  });

  test("whoever is reached from beyond the namespace listens there", () => {
    for (const { selector, ingress } of policies) {
      const ports = ingress.flatMap((rule) => rule.ports ?? []).map(({ port }) => port);
      for (const endpoint of endpoints.filter((each) => selects(selector, each))) {
        expect(endpoint.ports).toEqual(expect.arrayContaining(ports));
      }
    }
  });

  test("beyond the namespace there are these holes and no other", () => {
    expect(holesOutside(policies).sort()).toEqual(
      [
        "names: egress 53 53",
        "callers-to-gateway: ingress 4000",
        "prometheus-to-platform: ingress 4000",
        "platform-to-traces: egress 4318",
        "postgres: ingress 8000",
        "postgres: ingress 5432",
        "postgres: ingress 9187",
        "postgres: egress 443 6443",
        "pooler: ingress 9127",
        "pooler: egress 443 6443",
        ...(name === "production" ? ["platform-to-s3: egress 443"] : []),
      ].sort(),
    );
  });
});
