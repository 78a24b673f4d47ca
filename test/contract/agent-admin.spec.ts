/** The admin API's credentials: every route without, with a wrong and with too weak a credential; wrong input. */
import { connect } from "node:tls";
import { encodeCommand, signCommand } from "@hansa/events";
import { callApi, newSigningKey, nodeCrypto } from "@hansa/identity";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AgentRig, replica, service, workload } from "./agent-rig.ts";

let rig: AgentRig;

beforeAll(async () => {
  rig = await AgentRig.start();
  rig.source("eu", {
    services: [service("pay", "http")],
    workloads: [workload("pay", [replica("pay-1", rig.address("eu", 10))])],
  });
  rig.configure("eu", await rig.joinToken("eu"));
  await rig.agent("eu");
}, 120_000);

afterAll(async () => {
  await rig?.stop();
});

type Role = "viewer" | "operator";
const PROXY = "/v1/proxies/shop%2Fpay%2Fpay-1";
const ROUTES: readonly (readonly ["GET" | "POST", string, Role])[] = [
  ["GET", "/v1/status", "viewer"],
  ["GET", "/v1/proxies", "viewer"],
  ["GET", PROXY, "viewer"],
  ["GET", `${PROXY}/config`, "viewer"],
  ["GET", `${PROXY}/bootstrap`, "viewer"],
  ["GET", "/v1/federation", "viewer"],
  ["GET", "/v1/federation-state", "viewer"],
  ["GET", "/v1/paths", "viewer"],
  ["GET", "/v1/clusters", "viewer"],
  ["GET", "/v1/services", "viewer"],
  ["GET", "/v1/services/shop/pay", "viewer"],
  ["GET", "/v1/endpoints", "viewer"],
  ["GET", "/v1/links", "viewer"],
  ["GET", "/v1/identities", "viewer"],
  ["GET", "/v1/policies", "viewer"],
  ["GET", "/v1/routes?ns=shop&service=pay", "viewer"],
  ["GET", "/v1/explain/route?ns=shop&service=pay", "viewer"],
  ["GET", "/v1/explain/access?caller=spiffe://eu.lab.hansa/ns/shop/sa/web&ns=shop&service=pay", "viewer"],
  ["GET", "/no/such/route", "viewer"],
  ["POST", "/v1/commands", "operator"],
  ["POST", "/v1/want", "operator"],
  ["POST", "/v1/svid", "operator"],
];

const ask = (method: "GET" | "POST", path: string, token: string, body: unknown = {}) =>
  callApi(rig.target("eu", token), { method, path, ...(method === "POST" ? { body } : {}) });

describe.each(ROUTES)("%s %s", (method, path, role) => {
  test("without a credential", async () => {
    await expect(ask(method, path, "")).rejects.toMatchObject({ code: "HSA3001" });
  });

  test("with a wrong credential", async () => {
    await expect(ask(method, path, "0".repeat(32))).rejects.toMatchObject({ code: "HSA3001" });
  });

  test("with the weakest credential", async () => {
    const asked = ask(method, path, rig.tokens.viewer);
    if (role === "operator") await expect(asked).rejects.toMatchObject({ code: "HSA3002" });
    else if (path.startsWith("/no")) await expect(asked).rejects.toMatchObject({ code: "HSA1005" });
    else await expect(asked).resolves.toBeTruthy();
  });
});

test("/metrics wants a credential, /livez and /readyz do not", async () => {
  await expect(ask("GET", "/livez", "")).resolves.toMatchObject({ kind: "Liveness" });
  await expect(ask("GET", "/readyz", "")).resolves.toMatchObject({ kind: "Readiness", ready: true });
  await expect(ask("GET", "/metrics", "")).rejects.toMatchObject({ code: "HSA3001" });
  expect(await rig.metrics("eu")).toContain("hansa_certificate_expiry_seconds");
});

test("what a proxy has is asked of its Envoy, and one that does not answer is named", async () => {
  const path = `${PROXY}/difference`;
  await expect(ask("GET", path, "")).rejects.toMatchObject({ code: "HSA3001" });
  await expect(ask("GET", path, rig.tokens.viewer)).rejects.toMatchObject({
    code: "HSA1012",
    message: expect.stringContaining("shop/pay/pay-1"),
  });
});

test("plain HTTP and another CA get nowhere", async () => {
  await expect(fetch(`http://${rig.address("eu", 2)}:15010/livez`)).rejects.toThrow();
  const refused = await new Promise<string>((resolve) => {
    const socket = connect({ host: rig.address("eu", 2), port: 15_010, ca: [] });
    socket.on("error", (error) => resolve((error as NodeJS.ErrnoException).code ?? ""));
    socket.on("secureConnect", () => resolve("connected"));
  });
  expect(refused).toMatch(/SELF_SIGNED|UNABLE_TO/);
});

test("an SVID for an outside tool has its key and all bundles, and only for workloads' namespaces", async () => {
  const issued = await ask("POST", "/v1/svid", rig.tokens.operator, {
    namespace: "shop",
    serviceAccount: "tool",
  });
  expect(issued).toMatchObject({ spiffeId: "spiffe://eu.lab.hansa/ns/shop/sa/tool" });
  expect(Object.keys((issued as { bundles: object }).bundles)).toEqual(["eu.lab.hansa"]);
  const system = { namespace: "hansa-system", serviceAccount: "agent" };
  await expect(ask("POST", "/v1/svid", rig.tokens.admin, system)).rejects.toMatchObject({ code: "HSA1004" });
});

test("no answer holds a private key or a token but the one that was asked for", async () => {
  const answers = await Promise.all(
    ROUTES.filter(([method, path]) => method === "GET" && !path.startsWith("/no")).map(([method, path]) =>
      ask(method, path, rig.tokens.admin),
    ),
  );
  expect(JSON.stringify(answers)).not.toMatch(/PRIVATE KEY|hansa_[A-Za-z0-9_-]{40}/);
  expect(rig.log("eu")).not.toMatch(/PRIVATE KEY|hansa_[A-Za-z0-9_-]{40}|SU[A-Z2-7]{56}/);
});

test("a command without a valid operator signature is refused and leaves no trace", async () => {
  const { fingerprint } = await rig.get<{ fingerprint: string }>("eu", "/v1/federation");
  const order = { do: "drain", cluster: "eu", incarnation: 1 } as const;
  const payload = encodeCommand({ fingerprint, id: "c-1", atMs: 1, order });
  const signatures = [signCommand(payload, newSigningKey().signer, nodeCrypto)];
  const sent = ask("POST", "/v1/commands", rig.tokens.operator, { payload, signatures });
  await expect(sent).rejects.toMatchObject({ code: "HSA3007" });
  const own = [signCommand(payload, rig.hub.operator.signer, nodeCrypto)];
  const taken = await rig.post("eu", "/v1/commands", { payload, signatures: own });
  expect(taken).toMatchObject({ kind: "Command", data: { id: "c-1", order } });
});

test("wrong bodies and parameters are named", async () => {
  const bad = (path: string, body: unknown) => expect(ask("POST", path, rig.tokens.admin, body)).rejects;
  await bad("/v1/want", { source: 3 }).toMatchObject({ code: "HSA1004" });
  await bad("/v1/want", { source: "nobody" }).toMatchObject({ code: "HSA1005" });
  await bad("/v1/svid", { namespace: "Shop", serviceAccount: "x" }).toMatchObject({ code: "HSA1004" });
  await bad("/v1/commands", { payload: "x".repeat(2_000_000) }).toMatchObject({ code: "HSA1006" });
  const get = (path: string) => expect(ask("GET", path, rig.tokens.admin)).rejects;
  await get("/v1/routes?ns=shop").toMatchObject({
    code: "HSA1004",
    message: expect.stringContaining("service"),
  });
  await get("/v1/services/shop/none").toMatchObject({ code: "HSA1005" });
  await get("/v1/proxies/shop%2Fpay%2Fpay-9").toMatchObject({ code: "HSA1005" });
});

test("an agent tells whether its ways carry packets of full size", async () => {
  const { items } = await rig.get<{ items: { to: string; result: string }[] }>("eu", "/v1/paths");
  const ways = items.map(({ to, result }) => `${to} ${result}`);
  expect(ways).toContain("hub passes");
  expect(ways).toContain("nats passes");
});
