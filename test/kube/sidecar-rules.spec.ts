/**
 * The injector's interception rules in pods: as the lab's own program sets them, and as the real iptables-restore does on both
 * kinds of tables. What is excluded goes past the proxy, what is not does not, by IPv6 neither.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FLAVOURS, realIptables } from "./support/real-iptables.ts";
import { SidecarRig } from "./support/sidecar-rig.ts";

/** Answers on 8080, and calls. */
const BOTH = {
  image: "busybox",
  command: ["sh", "-c", "echo-server & exec sleep 3600"],
  readinessProbe: { httpGet: { path: "/", port: 8080 }, periodSeconds: 1 },
};
const WAYS = ["lab", ...FLAVOURS] as const;
const imageOf = (way: string): string => (way === "lab" ? "hansa:lab" : `rules-${way}:test`);
let rig: SidecarRig;

beforeAll(async () => {
  const images = FLAVOURS.map((name) => ({
    name: `rules-${name}`,
    cmd: ["sh"],
    path: [realIptables(name)],
  }));
  rig = await SidecarRig.start({ images });
  for (const name of ["shop", "vault"])
    await rig.namespace(name, { "hansa.dev/inject": "enabled", "hansa.dev/inbound": "strict" });
  await rig.webhook();
  await rig.pods(
    ["vault", "safe", BOTH],
    ["vault", "sealed", BOTH],
    ["default", "outsider", BOTH],
    ["default", "open", BOTH],
  );
  const ports = [
    { name: "http", port: 80, targetPort: 8080 },
    { name: "tcp-raw", port: 81, targetPort: 8080 },
  ];
  for (const name of ["safe", "sealed"]) await rig.exported("vault", name, ports);
  const kept = `${await rig.clusterIp("vault", "sealed")}/32,${await rig.ipv6("default", "open")}/128`;
  for (const way of WAYS) {
    const client = {
      "hansa.dev/exclude-outbound-ports": "81",
      "hansa.dev/exclude-outbound-cidrs": kept,
    };
    await rig.injectedWith(imageOf(way), ["shop", `client-${way}`, BOTH, client]);
    const server = { "hansa.dev/exclude-inbound-ports": "8080" };
    await rig.injectedWith(imageOf(way), ["vault", `server-${way}`, BOTH, server]);
    await rig.exported("vault", `server-${way}`, ports);
  }
  for (const way of WAYS) {
    await rig.ready("shop", `client-${way}`);
    await rig.ready("vault", `server-${way}`);
  }
}, 240_000);
afterAll(() => rig?.stop(), 60_000);

const answers = async (namespace: string, from: string, host: string, port = 8080): Promise<boolean> => {
  const url = `http://${host.includes(":") ? `[${host}]` : host}:${port}/`;
  return (await rig.curl(namespace, from, url)).text.includes('"pod"');
};
const fromOutsider = (host: string): Promise<boolean> => answers("default", "outsider", host);

it("the network carries IPv6 between pods: what is refused below is refused by the rules", async () => {
  expect(await fromOutsider(await rig.ipv6("default", "open"))).toBe(true);
});

describe.each(WAYS)("rules as %s sets them", (way) => {
  const fromClient = (host: string, port?: number): Promise<boolean> =>
    answers("shop", `client-${way}`, host, port);

  it("take what goes out, but what is excluded by port and by range", async () => {
    const safe = await rig.clusterIp("vault", "safe");
    // Who is strict answers what came by the proxy alone.
    await expect.poll(() => fromClient(safe, 80), { timeout: 15_000 }).toBe(true);
    expect(await fromClient(safe, 81)).toBe(false);
    expect(await fromClient(await rig.clusterIp("vault", "sealed"), 80)).toBe(false);
    expect(await fromClient(await rig.ip("default", "open"))).toBe(true);
  });

  it("take what comes in, but on excluded ports", async () => {
    expect(await fromOutsider(await rig.ip("vault", "safe"))).toBe(false);
    expect(await fromOutsider(await rig.ip("vault", `server-${way}`))).toBe(true);
  });

  it("let nothing past by IPv6, either way, but what is excluded", async () => {
    const outsider = await rig.ipv6("default", "outsider");
    expect(await fromClient(outsider)).toBe(false);
    expect(await fromClient(await rig.ipv6("default", "open"))).toBe(true);
    expect(await fromOutsider(await rig.ipv6("shop", `client-${way}`))).toBe(false);
    expect(await fromOutsider(await rig.ipv6("vault", `server-${way}`))).toBe(true);
    // Refused, not dropped: who has another address to try does so at once.
    const { code } = await rig.curl("shop", `client-${way}`, `http://[${outsider}]:8080/`);
    expect(code).toBe(7);
  });
});
