import { deployTools } from "./deploy-tools.js";
import { complaintsOf, readDefinitions } from "./schema.js";
import { unlistedFields } from "./custom-resources.js";

const { kinds, definitions } = readDefinitions((await deployTools()).definitions);

test("a field that Kubernetes does not know is named, and a wrong type, and what is missing", () => {
  const service = { metadata: { name: "a" }, spec: { ports: [{ port: "http", target: 1 }], selektor: {} } };
  expect(complaintsOf(service, kinds.get("v1/Service")!, "a", definitions)).toEqual([
    'a.spec.ports[0].port: must be integer, not "http"',
    "a.spec.ports[0].target: is no field",
    "a.spec.selektor: is no field",
  ]);
  const deployment = { spec: { template: { spec: { containers: [{ image: "a" }] } } } };
  expect(complaintsOf(deployment, kinds.get("apps/v1/Deployment")!, "a", definitions)).toEqual([
    "a.spec.selector: is required",
    "a.spec.template.spec.containers[0].name: is required",
  ]);
});

test("a custom resource has the fields that are listed, and no other", () => {
  const certificate = {
    ...{ apiVersion: "cert-manager.io/v1", kind: "Certificate", metadata: { name: "a" } },
    spec: { secretName: "a", dnsName: ["a"] },
  };
  expect(unlistedFields(certificate)).toEqual([
    "spec.dnsName[]: is not among the fields of custom-fields.yaml",
  ]);
});
