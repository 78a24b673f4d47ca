/** Who may speak, to whom, and as whom: at the gateway, at the server's sidecar, at a proxy's socket and at the APIs. */
import { createHash, X509Certificate } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import * as http from "node:http";
import * as http2 from "node:http2";
import { dirname, join } from "node:path";
import { createSecureContext } from "node:tls";
import { systemClock, trustDomainOf, workloadId } from "@hansa/core";
import {
  type ApiTarget,
  type Authority,
  callApi,
  createAuthority,
  fromPem,
  loadAuthority,
  newSvid,
  nodeRandom,
  PROBE_PATH,
  toPem,
} from "@hansa/identity";
import { proto, TYPE_URL } from "@hansa/xds";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { craftCertificate } from "../../libs/identity/src/craft-certificate.ts";
import { AdsClient } from "../conformance/xds/client.ts";
import { startLab, type TestLab } from "./support/lab.ts";
import { knock, type Reply } from "./support/stranger.ts";

interface Credentials {
  readonly certPem: string;
  readonly keyPem: string;
}

const WEB = "eu/shop/web";
const ports = { clock: systemClock, random: nodeRandom };
const domain = (cluster: string) => trustDomainOf(cluster, "lab.hansa");
const idOf = (cluster: string, account: string) => workloadId(domain(cluster), "shop", account);
const sniOf = (service: string) => `http.${service}.shop.svc.lab.hansa`;

let lab: TestLab;
let gateways: Record<string, string>;
let web: Credentials;
let cart: Credentials;

beforeAll(async () => {
  lab = await startLab();
  await lab.until(["lab", "call", WEB, "catalog", "-n", "20"], (json) => json.failed === 0);
  const { items } = await lab.ok("lab", "status");
  gateways = Object.fromEntries(
    items
      .filter(({ kind }: { kind: string }) => kind === "gateway")
      .map(({ cluster, ports }: { cluster: string; ports: { mtls: string } }) => [cluster, ports.mtls]),
  );
  web = await credsOf(WEB);
  cart = await credsOf("eu/shop/cart");
});
afterAll(() => lab.down());

async function credsOf(account: string): Promise<Credentials> {
  const folder = join(lab.state, "creds", account.replaceAll("/", "-"));
  await lab.ok("lab", "creds", account, "--out", folder);
  const read = (name: string) => readFileSync(join(folder, name), "utf8");
  return { certPem: read("svid.pem"), keyPem: read("key.pem") };
}

/** The cluster's own CA, stolen from its agent's disk: the attacker who has it is still bound to its trust domain. */
function authorityOf(cluster: string): Authority {
  const text = readFileSync(join(lab.state, "clusters", cluster, "agent", "keys", "ca.pem"), "utf8");
  return loadAuthority({ keyPem: text, certDer: fromPem(text)[0] ?? new Uint8Array(), ...ports });
}
function leaf(
  authority: Authority,
  uris: readonly string[],
  times: { notAfterMs?: number } = {},
): Credentials {
  const { der, keyPem } = craftCertificate(authority, { uris, ...times }, Date.now());
  return { certPem: toPem(der), keyPem };
}

const catalogInUs = (credentials?: Credentials, headers?: Record<string, string>): Promise<Reply> =>
  knock({
    address: gateways.us ?? "",
    sni: sniOf("catalog"),
    ...credentials,
    ...(headers ? { headers } : {}),
  });

describe("at us's gateway", () => {
  it("00: an exported service's name is passed on to a sidecar that knows the caller", async () => {
    const reply = await catalogInUs(web);
    expect(reply).toMatchObject({
      status: 200,
      body: { cluster: "us", workload: "catalog", caller: idOf("eu", "web") },
    });
  });

  it.each([
    ["a service that runs there and is not exported", sniOf("vault")],
    ["a service that runs elsewhere", "tcp.ledger.shop.svc.lab.hansa"],
    ["a name that nobody has", "http.nothing.shop.svc.lab.hansa"],
    ["a port that the service has not", "admin.catalog.shop.svc.lab.hansa"],
    ["another federation's name", "http.catalog.shop.svc.other.hansa"],
    ["another cluster's probe", "probe.eu.gw.lab.hansa"],
    ["a name in which another hides", `x.${sniOf("catalog")}`],
    ["no name at all", undefined],
  ])("01: %s is reset, whoever asks", async (_what, sni) => {
    const reply = await knock({ address: gateways.us ?? "", ...(sni === undefined ? {} : { sni }), ...web });
    expect(reply).toMatchObject({ status: 0 });
    expect(reply.detail).toMatch(/ECONNRESET|closed/);
  });

  it("02: its probe answers agents of members alone", async () => {
    const probe = { address: gateways.us ?? "", sni: "probe.us.gw.lab.hansa", path: PROBE_PATH };
    const agent = newSvid(authorityOf("eu"), workloadId(domain("eu"), "hansa-system", "agent"));
    expect(await knock({ ...probe, ...agent })).toMatchObject({ status: 200 });
    for (const other of [web, {}]) expect((await knock({ ...probe, ...other })).status).not.toBe(200);
  });
});

describe("at the server's sidecar, through the gateway", () => {
  const refused = async (credentials?: Credentials) => {
    const reply = await catalogInUs(credentials);
    expect(reply, JSON.stringify(reply)).toMatchObject({ status: 0 });
    // The same call with a real certificate: it was the certificate that was refused.
    expect(await catalogInUs(web)).toMatchObject({ status: 200 });
  };

  it("03: no certificate is no caller", () => refused());

  it("04: a CA of the attacker's making is not eu's, even under eu's name", () =>
    refused(newSvid(createAuthority({ trustDomain: domain("eu"), ...ports }), idOf("eu", "web"))));

  it("05: two names in one certificate of eu's own CA are none", async () => {
    const authority = authorityOf("eu");
    expect(await catalogInUs(leaf(authority, [idOf("eu", "web")]))).toMatchObject({ status: 200 });
    await refused(leaf(authority, [idOf("eu", "web"), idOf("eu", "cart")]));
    await refused(leaf(authority, [idOf("eu", "cart"), idOf("eu", "web")]));
  });

  it("06: eu's CA speaks for eu alone: neither for us, whose own workloads may call, nor for ap", async () => {
    for (const cluster of ["us", "ap"]) await refused(leaf(authorityOf("eu"), [idOf(cluster, "web")]));
  });

  it("07: no name, a name that is no workload's and a certificate of yesterday are refused", async () => {
    const authority = authorityOf("eu");
    await refused(leaf(authority, []));
    await refused(leaf(authority, ["https://eu.lab.hansa/ns/shop/sa/web"]));
    await refused(leaf(authority, [idOf("eu", "web")], { notAfterMs: Date.now() - 10_000 }));
  });

  it("08: a real certificate of an account that no allow names is known and turned away", async () => {
    expect(await catalogInUs(cart)).toMatchObject({ status: 403 });
    const inSystem = newSvid(authorityOf("eu"), workloadId(domain("eu"), "hansa-system", "web"));
    expect(await catalogInUs(inSystem)).toMatchObject({ status: 403 });
    const elsewhere = newSvid(authorityOf("eu"), workloadId(domain("eu"), "shop2", "web"));
    expect(await catalogInUs(elsewhere)).toMatchObject({ status: 403 });
    expect(await catalogInUs(web)).toMatchObject({ status: 200 });
  });

  it("09: what a caller says of itself in headers is replaced", async () => {
    const claim = `By=spiffe://us.lab.hansa/ns/shop/sa/catalog;URI=${idOf("us", "admin")}`;
    const headers = { "x-forwarded-client-cert": claim };
    expect((await catalogInUs(web, headers)).body.caller).toBe(idOf("eu", "web"));
    expect(await catalogInUs(cart, headers)).toMatchObject({ status: 403 });
    // The same through the caller's own sidecar.
    const { items } = await lab.ok("lab", "status");
    const sidecar = items.find(({ name }: { name: string }) => name === "eu/shop/web/web-1/sidecar");
    const body = await plainCall(sidecar.ports.outbound, "catalog.shop.svc.clusterset.local", headers);
    expect(JSON.parse(body)).toMatchObject({ cluster: "us", caller: idOf("eu", "web") });
  });
});

function plainCall(outbound: string, authority: string, headers: Record<string, string>): Promise<string> {
  const [host = "", port = ""] = outbound.split(":");
  return new Promise((resolve, reject) => {
    const options = { host, port: Number(port), headers: { ...headers, host: authority } };
    http
      .get(options, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => resolve(text));
      })
      .on("error", reject);
  });
}

describe("at a proxy's socket", () => {
  const secrets = async (socket: string, nodeId: string, names: readonly string[]) => {
    const client = new AdsClient({ address: `unix:${socket}`, nodeId });
    try {
      client.send(TYPE_URL.secret, { subscribe: names });
      return await client.next(TYPE_URL.secret, 10_000);
    } finally {
      client.close();
    }
  };
  const socketOf = async (proxy: string): Promise<string> => {
    const answer = (await callApi(target("eu"), {
      path: `/v1/proxies/${encodeURIComponent(proxy)}`,
    })) as { data: { socket: string } };
    return answer.data.socket;
  };

  it("10: whoever names another node is refused with HSA5003", async () => {
    const socket = await socketOf("shop/web/web-1");
    expect(statSync(dirname(socket)).mode & 0o777).toBe(0o700);
    const client = new AdsClient({ address: `unix:${socket}`, nodeId: "shop/pay/pay-1" });
    client.send(TYPE_URL.secret, { subscribe: ["svid"] });
    const status = await client.endOfStream();
    client.close();
    expect(status).toMatchObject({ code: 7, details: expect.stringContaining("HSA5003") });
  });

  it("11: each socket hands out its owner's certificate, and no other whatever is asked for", async () => {
    for (const [proxy, account] of [
      ["shop/web/web-1", "web"],
      ["shop/pay/pay-1", "pay"],
    ] as const) {
      const asked = ["svid", "*", "svid/shop/cart", "shop/cart/cart-1", idOf("eu", "cart"), "ca"];
      const { resources } = await secrets(await socketOf(proxy), proxy, asked);
      const read = resources.map(({ message }) => proto.fromBinary(proto.SecretSchema, message));
      const withKeys = read.filter(({ type }) => type.case === "tlsCertificate");
      expect(withKeys.map(({ name }) => name)).toEqual(["svid"]);
      const held = withKeys[0]?.type.value as { certificateChain?: { specifier: { value: Uint8Array } } };
      const certificate = new X509Certificate(Buffer.from(held.certificateChain?.specifier.value ?? []));
      expect(certificate.subjectAltName).toBe(`URI:${idOf("eu", account)}`);
    }
  });
});

describe("at an importer", () => {
  it("12: a gateway that shows another cluster's certificate is not believed", async () => {
    await lab.ok("lab", "stop", "us/gateway");
    const us = authorityOf("us");
    const system = (authority: Authority, cluster: string) =>
      newSvid(authority, workloadId(domain(cluster), "hansa-system", "gateway"));
    // The control: a server with us's own certificates is as good as us's gateway and sidecar.
    const honest = await impostor(system(us, "us"), newSvid(us, idOf("us", "catalog")));
    await lab.until(["lab", "call", WEB, "catalog", "-n", "10"], ({ failed }) => failed === 0, 90_000);
    expect(honest.served()).toBeGreaterThanOrEqual(10);
    await honest.close();

    const link = async (satisfied: (link: { state: string; stage: string }) => boolean) =>
      await lab.until(
        ["get", "links"],
        ({ items }) =>
          satisfied(items.find(({ from, to }: { from: string; to: string }) => from === "eu" && to === "us")),
        90_000,
      );
    const ap = authorityOf("ap");
    for (const server of [newSvid(ap, idOf("ap", "catalog")), newSvid(us, idOf("us", "vault"))]) {
      const liar = await impostor(system(us, "us"), server);
      await link(({ state }) => state === "normal");
      const { json } = await lab.hansa("lab", "call", WEB, "catalog", "-n", "20");
      expect(json).toMatchObject({ failed: 20, served: {} });
      expect(liar.served()).toBe(0);
      await liar.close();
    }
    const gateway = await impostor(system(ap, "ap"), newSvid(us, idOf("us", "catalog")));
    await link(({ state, stage }) => state === "unreachable" && /^(tls|san)$/.test(stage));
    await gateway.close();

    await lab.ok("lab", "start", "us/gateway");
    await link(({ state }) => state === "normal");
    await lab.until(["lab", "call", WEB, "catalog", "-n", "20"], ({ failed }) => failed === 0, 90_000);
  });
});

/** Stands in the place of us's gateway and of every sidecar behind it. `served` counts calls, not probes. */
async function impostor(
  gateway: Credentials,
  sidecar: Credentials,
): Promise<{ served: () => number; close: () => Promise<void> }> {
  const context = ({ certPem, keyPem }: Credentials) => createSecureContext({ cert: certPem, key: keyPem });
  const contexts = { gateway: context(gateway), sidecar: context(sidecar) };
  let served = 0;
  const server = http2.createSecureServer(
    {
      cert: sidecar.certPem,
      key: sidecar.keyPem,
      allowHTTP1: true,
      SNICallback: (name, done) =>
        done(null, name.startsWith("probe.") ? contexts.gateway : contexts.sidecar),
    },
    (request, response) => {
      if (request.url !== PROBE_PATH) served += 1;
      response.end(JSON.stringify({ cluster: "impostor", workload: "catalog", replica: "x", version: "x" }));
    },
  );
  const sockets = new Set<{ destroy(): void }>();
  server.on("connection", (socket) => sockets.add(socket));
  server.on("sessionError", () => {});
  server.on("tlsClientError", () => {});
  const [host = "", port = ""] = (gateways.us ?? "").split(":");
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(Number(port), host, resolve);
  });
  return {
    served: () => served,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function target(who: string): ApiTarget {
  const context = JSON.parse(readFileSync(join(lab.state, "credentials.json"), "utf8"));
  return who === "hub" ? context.hub : context.agents[who];
}

describe("at the APIs", () => {
  const reads = ["/v1/federation", "/v1/clusters", "/v1/links", "/v1/no-such-route", "/metrics"];
  const code = (who: ApiTarget, path: string, method: "GET" | "POST" = "GET", body?: unknown) =>
    callApi(who, { path, method, ...(body === undefined ? {} : { body }) }).then(
      () => "answered",
      (error: { code: string; httpStatus: number }) => `${error.code} ${error.httpStatus}`,
    );

  it.each(["hub", "eu"])("13: %s answers nobody without a credential, save that it lives", async (who) => {
    for (const token of ["", "wrong", "Bearer"])
      for (const path of reads) {
        const said = await code({ ...target(who), token }, path);
        if (!(who === "hub" && path === "/v1/no-such-route")) expect(said, path).toBe("HSA3001 401");
      }
    expect(await code({ ...target(who), token: "" }, "/livez")).toBe("answered");
    expect(await code(target(who), "/v1/clusters")).toBe("answered");
  });

  it("14: a viewer of the hub reads and does nothing else", async () => {
    const made = (await callApi(target("hub"), {
      method: "POST",
      path: "/v1/tokens",
      body: { kind: "api", name: "reader", role: "viewer" },
    })) as { data: { token: string } };
    const viewer = { ...target("hub"), token: made.data.token };
    expect(await code(viewer, "/v1/clusters")).toBe("answered");
    const grant = { namespaces: ["shop"], cidrs: ["127.1.1.0/24"], region: "r", zones: ["z"], network: "n" };
    const orders: [string, unknown][] = [
      ["/v1/tokens", { cluster: "new", grant }],
      ["/v1/tokens", { kind: "api", name: "more", role: "admin" }],
      ["/v1/commands", { payload: "{}", signatures: [] }],
      ["/v1/wants", { cluster: "eu" }],
      ["/v1/clusters/eu/leave", {}],
    ];
    for (const [path, body] of orders)
      expect(await code(viewer, path, "POST", body), path).toBe("HSA3002 403");
    expect(await code(target("hub"), "/v1/wants", "POST", { cluster: "eu" })).toBe("answered");
  });

  it("15: a viewer of an agent reads and does nothing else", async () => {
    const file = join(lab.state, "clusters", "ap", "agent.yaml");
    const config = parse(readFileSync(file, "utf8"));
    const sha256 = createHash("sha256").update("only-looking").digest("hex");
    config.admin.tokens.push({ name: "reader", role: "viewer", sha256 });
    writeFileSync(file, stringify(config));
    await lab.ok("lab", "stop", "ap/agent");
    await lab.ok("lab", "start", "ap/agent");
    const viewer = { ...target("ap"), token: "only-looking" };
    expect(await code(viewer, "/v1/status")).toBe("answered");
    const svid = { namespace: "shop", serviceAccount: "web" };
    const orders: [string, unknown][] = [
      ["/v1/svid", svid],
      ["/v1/want", { source: "eu" }],
      ["/v1/commands", { payload: "{}", signatures: [] }],
    ];
    for (const [path, body] of orders)
      expect(await code(viewer, path, "POST", body), path).toBe("HSA3002 403");
    expect(await code(target("ap"), "/v1/svid", "POST", svid)).toBe("answered");
  });
});
