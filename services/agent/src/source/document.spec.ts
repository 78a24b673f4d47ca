import { expect, test } from "vitest";
import { DOCUMENT_BYTES_MAX, ITEMS_MAX, parseSource } from "./document.ts";

const context = { cluster: "eu", federation: "lab.hansa" };
const problems = (text: string): readonly string[] => {
  const parsed = parseSource(text, context);
  return parsed.kind === "problems" ? parsed.problems : [];
};
const first = (text: string): string => problems(text)[0] ?? "no problem";

const service = (more = "") =>
  `services:\n  - { namespace: shop, name: pay, ports: [{ name: http, port: 80 }]${more} }\n`;
const replicas = (list: string) =>
  `${service()}workloads:\n  - { namespace: shop, name: pay, serviceAccount: pay, desired: 1, services: [pay], replicas: [${list}] }\n`;

test("an empty file is an empty document", () => {
  expect(parseSource("", context)).toMatchObject({
    kind: "document",
    document: { services: [], workloads: [] },
  });
});

test("a whole document parses, with defaults", () => {
  const parsed = parseSource(replicas("{ id: pay-1, address: 127.0.0.9, ready: true }"), context);
  expect(parsed).toMatchObject({
    kind: "document",
    document: {
      services: [{ name: "pay", ports: [{ name: "http", port: 80, protocol: "http" }], export: null }],
      workloads: [{ replicas: [{ port: 15_006, sidecar: true, weight: 1 }] }],
    },
  });
});

test.each([
  ["{ port: 80, name: web }", "tcp"],
  ["{ port: 80, name: http }", "http"],
  ["{ port: 80, name: http-web }", "http"],
  ["{ port: 80, name: grpc-api }", "grpc"],
  ["{ port: 80, appProtocol: kubernetes.io/h2c }", "http2"],
  ["{ port: 80, name: http, appProtocol: tcp }", "tcp"],
  ["{ port: 80, name: http, appProtocol: mqtt }", "tcp"],
  ["{ port: 80, name: http, protocol: grpc }", "grpc"],
])("%s speaks %s", (port, protocol) => {
  const parsed = parseSource(`services: [{ namespace: shop, name: pay, ports: [${port}] }]`, context);
  expect(parsed).toMatchObject({ document: { services: [{ ports: [{ protocol }] }] } });
});

test.each([
  ["not YAML", "services: [", "not YAML"],
  ["an alias bomb", "a: &a [1]\nb: *a", "not YAML"],
  ["an unknown field", "servces: []", "servces"],
  [
    "an upper-case name",
    "services: [{ namespace: shop, name: Pay, ports: [{ port: 80 }] }]",
    "services[0].name",
  ],
  [
    "the system namespace",
    "services: [{ namespace: hansa-system, name: a, ports: [{ port: 80 }] }]",
    "services[0].namespace",
  ],
  ["no port", "services: [{ namespace: shop, name: pay, ports: [] }]", "services[0].ports"],
  ["port 0", "services: [{ namespace: shop, name: pay, ports: [{ port: 0 }] }]", "services[0].ports[0].port"],
  [
    "a port name with --",
    "services: [{ namespace: shop, name: pay, ports: [{ port: 80, name: p--80 }] }]",
    "services[0].ports[0].name",
  ],
  [
    "an unknown protocol",
    "services: [{ namespace: shop, name: pay, ports: [{ port: 80, protocol: udp }] }]",
    "protocol",
  ],
  ["a bad time", service(", created: yesterday"), "services[0].created"],
  ["a replica without address", replicas("{ id: pay-1, ready: true }"), "workloads[0].replicas[0].address"],
  [
    "an address that is a name",
    replicas("{ id: pay-1, address: pay.local, ready: true }"),
    "workloads[0].replicas[0].address",
  ],
  [
    "a replica id with a slash",
    replicas("{ id: a/b, address: 127.0.0.9, ready: true }"),
    "workloads[0].replicas[0].id",
  ],
  [
    "a negative desired",
    "workloads: [{ namespace: shop, name: a, serviceAccount: a, desired: -1 }]",
    "workloads[0].desired",
  ],
  ["a threshold of 0", "failover: [{ namespace: '-', name: '-', threshold: 0 }]", "failover[0].threshold"],
  [
    "an allow from nobody",
    "allows: [{ name: a, namespace: shop, service: pay, from: [] }]",
    "allows[0].from",
  ],
  [
    "an allow by suffix",
    "allows: [{ name: a, namespace: shop, service: pay, from: [{ cluster: '*.eu', namespace: shop, serviceAccount: web }] }]",
    "allows[0].from[0].cluster",
  ],
])("refuses %s and names the place", (_what, text, place) => {
  expect(first(text)).toContain(place);
});

test.each([
  [
    "a service twice",
    `${service()}  - { namespace: shop, name: pay, ports: [{ port: 81 }] }`,
    "services[1]: shop/pay is given twice",
  ],
  [
    "a port number twice",
    "services: [{ namespace: shop, name: pay, ports: [{ name: a, port: 80 }, { name: b, port: 80 }] }]",
    "services[0].ports[1]",
  ],
  [
    "a port name twice",
    "services: [{ namespace: shop, name: pay, ports: [{ name: a, port: 80 }, { name: a, port: 81 }] }]",
    "services[0].ports[1]",
  ],
  [
    "a replica twice",
    replicas("{ id: a, address: 127.0.0.9, ready: true }, { id: a, address: 127.0.0.8, ready: true }"),
    "workloads[0].replicas[1]",
  ],
  [
    "an address twice",
    replicas("{ id: a, address: 127.0.0.9, ready: true }, { id: b, address: 127.0.0.9, ready: true }"),
    "is already that of workloads[0].replicas[0]",
  ],
  [
    "a workload of no service",
    "workloads: [{ namespace: shop, name: a, serviceAccount: a, desired: 1, services: [b] }]",
    "no service shop/b",
  ],
  ["a failover policy for half of everything", "failover: [{ namespace: '-', name: pay }]", "failover[0]"],
])("refuses %s", (_what, text, problem) => {
  expect(problems(text).join("\n")).toContain(problem);
});

test("a name that does not fit an SNI is refused at export, and only there", () => {
  const long = (more: string) =>
    `services: [{ namespace: ${"n".repeat(63)}, name: ${"s".repeat(63)}, ports: [{ name: ${"p".repeat(60)}, port: 80 }]${more} }]`;
  const federation = `${"f".repeat(60)}.hansa`;
  const parsed = parseSource(long(", export: {}"), { cluster: "eu", federation });
  expect(parsed).toMatchObject({ kind: "problems", problems: [expect.stringContaining("NameTooLong")] });
  expect(parseSource(long(""), { cluster: "eu", federation }).kind).toBe("document");
});

test("many problems are cut, with their number", () => {
  const many = Array.from({ length: 30 }, () => "{ namespace: shop, name: pay, ports: [{ port: 80 }] }").join(
    ",",
  );
  expect(problems(`services: [${many}]`).at(-1)).toMatch(/^and \d+ more$/);
});

test("a file at the limit of its size is read, a larger one is not", () => {
  const text = " ".repeat(DOCUMENT_BYTES_MAX);
  expect(parseSource(text, context).kind).toBe("document");
  expect(first(`${text} `)).toBe(
    `the file has ${DOCUMENT_BYTES_MAX + 1} characters, at most ${DOCUMENT_BYTES_MAX} are read`,
  );
});

test("a list at the limit of its length is taken, a longer one is not", () => {
  const allows = (count: number): string =>
    JSON.stringify({
      services: [{ namespace: "shop", name: "pay", ports: [{ name: "http", port: 80 }] }],
      allows: Array.from({ length: count }, (_, index) => ({
        name: `a${index}`,
        namespace: "shop",
        service: "pay",
        from: [{ cluster: "*", namespace: "*", serviceAccount: "*" }],
      })),
    });
  expect(problems(allows(ITEMS_MAX))).toEqual([]);
  expect(first(allows(ITEMS_MAX + 1))).toMatch(/^allows: /);
});
