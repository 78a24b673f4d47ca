/** A gateway that others dial by a host name: real DNS, real agents and Envoys. */

import { Resolver } from "node:dns/promises";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Child, freePort } from "../../deploy/tools/child.ts";
import { AgentRig, allow, replica, service, until, workload } from "../contract/agent-rig.ts";
import { call } from "../contract/envoy/calls.ts";
import { startCoreDns } from "../support/coredns.ts";

const NAME = "gw.us.example.com";
const PORT = 15_443;
const PAY = "pay.shop.svc.clusterset.local";
const TTL_S = 1;
const dir = mkdtempSync(join(tmpdir(), "hansa-gateway-dns-"));

let rig: AgentRig;
let dns: Child;
let serial = 0;
const fronts: Front[] = [];

/** A load balancer: an address of its own in front of the gateway. */
class Front {
  readonly address: string;
  calls = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server;

  constructor(address: string, gateway: string) {
    this.address = address;
    this.#server = createServer((from) => {
      this.calls += 1;
      const to = connect(PORT, gateway);
      for (const socket of [from, to]) {
        this.#sockets.add(socket);
        socket.on("error", () => {});
        socket.on("close", () => {
          this.#sockets.delete(socket);
          from.destroy();
          to.destroy();
        });
      }
      from.pipe(to).pipe(from);
    });
    this.#server.listen(PORT, address);
    fronts.push(this);
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** CoreDNS takes a zone of another serial within a second. */
function zone(addresses: readonly string[]): void {
  serial += 1;
  const soa = `@ ${TTL_S} IN SOA ns.example.com. admin.example.com. ${serial} 60 60 60 ${TTL_S}\n`;
  const records = addresses.map((address) => `${NAME}. ${TTL_S} IN A ${address}\n`).join("");
  const file = join(dir, "zone");
  writeFileSync(`${file}.new`, `$ORIGIN us.example.com.\n${soa}@ ${TTL_S} IN NS ns.example.com.\n${records}`);
  renameSync(`${file}.new`, file);
}

async function startDns(port: number): Promise<Child> {
  const resolver = new Resolver({ timeout: 1000, tries: 1 });
  resolver.setServers([`127.0.0.1:${port}`]);
  return await startCoreDns({
    dir,
    corefile: `us.example.com:${port} {\n  bind 127.0.0.1\n  file ${join(dir, "zone")} {\n    reload 500ms\n  }\n}\n`,
    isReady: () =>
      resolver.resolve4(NAME).then(
        () => true,
        () => false,
      ),
  });
}

const web = () => call(rig.address("eu", 10), 15_001, PAY);
/** What the caller's Envoy dials. */
const dialled = async (): Promise<string[]> => {
  const answer = await fetch(`http://${rig.address("eu", 10)}:15000/clusters`);
  const hosts = [...(await answer.text()).matchAll(new RegExp(`::([0-9.]+):${PORT}::health_flags`, "g"))];
  return [...new Set(hosts.map(([, address = ""]) => address))].sort();
};
const lookUps = async (outcome: string): Promise<number> => {
  const line = new RegExp(`hansa_host_name_lookups_total\\{outcome="${outcome}"\\} (\\d+)`);
  return Number(line.exec(await rig.metrics("us"))?.[1] ?? 0);
};

let old: Front;
let fresh: Front;
let dnsPort: number;

beforeAll(async () => {
  rig = await AgentRig.start();
  const gateway = rig.address("us", 1);
  [old, fresh] = [new Front(rig.address("us", 21), gateway), new Front(rig.address("us", 22), gateway)];
  zone([old.address]);
  dnsPort = await freePort();
  dns = await startDns(dnsPort);
  rig.source("eu", {
    services: [],
    workloads: [workload("web", [replica("web-1", rig.address("eu", 10))], [])],
  });
  rig.source("us", {
    services: [service("pay", "http")],
    workloads: [workload("pay", [replica("pay-1", rig.address("us", 10))])],
    allows: [allow("pay", "eu", "web")],
  });
  rig.configure("eu", await rig.joinToken("eu"));
  rig.configure("us", await rig.joinToken("us"), {
    gateway: { name: "gw", address: NAME, port: PORT, listen: gateway },
    nameServers: [`127.0.0.1:${dnsPort}`],
  });
  await Promise.all([rig.agent("eu"), rig.agent("us")]);
  await rig.app("http", "pay", rig.address("us", 10));
  await Promise.all([
    rig.envoy("us", "gateway/gw", gateway),
    rig.envoy("us", "shop/pay/pay-1", rig.address("us", 10)),
    rig.envoy("eu", "shop/web/web-1", rig.address("eu", 10)),
  ]);
  await until("pay answers", async () => (await web()).status === 200);
}, 240_000);
afterAll(async () => {
  await rig?.stop();
  await dns?.stop();
  for (const front of fronts) front.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Calls without a pause until it is over; answers how many were not answered. */
async function callingWhile(what: Promise<unknown>): Promise<number> {
  let isOver = false;
  let failed = 0;
  const over = what.finally(() => {
    isOver = true;
  });
  while (!isOver) if ((await web()).status !== 200) failed += 1;
  await over;
  return failed;
}

describe("gateway address change by DNS", () => {
  it("others dial what the name says, and calls go by the new address before the old one is gone", async () => {
    expect(await dialled()).toEqual([old.address]);
    zone([fresh.address]);
    const failed = await callingWhile(
      (async () => {
        await until("eu knows the new address", async () => (await dialled()).includes(fresh.address));
        const before = fresh.calls;
        old.close();
        await until("calls come by the new address", async () => fresh.calls > before);
        await until("the old one is forgotten", async () => (await dialled()).length === 1);
      })(),
    );
    expect(failed).toBe(0);
    expect(await dialled()).toEqual([fresh.address]);
  });

  it("nothing is withdrawn while DNS fails, nor when the agent starts anew meanwhile", async () => {
    await dns.stop();
    const before = await lookUps("failed");
    const failed = await callingWhile(
      until("the name servers were asked in vain", async () => (await lookUps("failed")) > before + 1),
    );
    expect(failed).toBe(0);
    expect(await dialled()).toEqual([fresh.address]);
    expect(rig.log("us")).toContain("HSA4012");
    await rig.restart("us");
    await until("it asks in vain again", async () => (await lookUps("failed")) > 0);
    expect(await callingWhile(until("a while", async () => (await lookUps("failed")) > 2))).toBe(0);
    expect(await dialled()).toEqual([fresh.address]);
  });

  it("a name that has no address any more keeps those that it had", async () => {
    zone([]);
    dns = await startDnsWithout(dnsPort);
    const before = await lookUps("failed");
    await until("the answer is that there is none", async () => (await lookUps("failed")) > before + 1);
    expect(await dialled()).toEqual([fresh.address]);
    expect((await web()).status).toBe(200);
  });
});

async function startDnsWithout(port: number): Promise<Child> {
  const resolver = new Resolver({ timeout: 1000, tries: 1 });
  resolver.setServers([`127.0.0.1:${port}`]);
  const code = () =>
    resolver.resolve4(NAME).then(
      () => "",
      (error: { code: string }) => error.code,
    );
  return await startCoreDns({
    dir,
    corefile: `us.example.com:${port} {\n  bind 127.0.0.1\n  file ${join(dir, "zone")}\n}\n`,
    isReady: async () => (await code()) === "ENOTFOUND",
  });
}
