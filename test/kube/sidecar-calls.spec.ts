/** Pods with sidecars that a real webhook injected, configured by a real agent: who reaches whom, by which address. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Said, SHELL, SidecarRig } from "./support/sidecar-rig.ts";

let rig: SidecarRig;
let vip: string;

beforeAll(async () => {
  // `us` has no agent: it is where calls come from that are not of this cluster.
  rig = await SidecarRig.start({ others: ["us"] });
  await rig.namespace("shop", { "hansa.dev/inject": "enabled" });
  await rig.namespace("vault", { "hansa.dev/inject": "enabled", "hansa.dev/inbound": "strict" });
  await rig.webhook();
  const echo = {
    image: "echo",
    readinessProbe: { httpGet: { path: "/", port: 8080 }, periodSeconds: 1 },
  };
  const opened = { "hansa.dev/inbound": "permissive" };
  await rig.pods(
    ["shop", "pay", echo],
    ["shop", "client", SHELL],
    ["vault", "safe", echo],
    ["vault", "desk", echo, opened],
    ["default", "outsider", SHELL],
    ["default", "plain", { image: "echo" }],
  );
  const ports = [
    { name: "http", port: 80, targetPort: 8080 },
    { name: "tcp-raw", port: 81, targetPort: 8080 },
  ];
  await rig.exported("shop", "pay", ports);
  await rig.exported("vault", "safe", ports);
  await rig.exported("vault", "desk", ports);
  vip = await rig.importIp("shop", "pay");
}, 200_000);
afterAll(() => rig?.stop(), 60_000);

const fromClient = (url: string, ...more: string[]): Promise<Said> =>
  rig.curl("shop", "client", url, ...more);
const fromOutsider = (url: string, ...more: string[]): Promise<Said> =>
  rig.curl("default", "outsider", url, ...more);
const answersOf = (pod: string) => expect.stringContaining(`"pod":"${pod}"`);
/** The caller, as the server's proxy has verified him. */
const CLIENT = /"X-Forwarded-Client-Cert":\["[^"]*URI=spiffe:\/\/eu\.[a-z.]+\/ns\/shop\/sa\/default"/;

describe("a pod with a sidecar", () => {
  it("reaches a service by its cluster-set address, HTTP and TCP, over mTLS", async () => {
    await expect
      .poll(async () => (await fromClient(`http://${vip}/`)).text, { timeout: 20_000 })
      .toContain('"pod":"pay"');
    expect((await fromClient(`http://${vip}/`)).text).toMatch(CLIENT);
    expect((await fromClient(`http://${vip}/`, "-H", "host: anything.example")).text).toContain(
      '"pod":"pay"',
    );
    expect((await fromClient(`http://${vip}:81/`)).text).toContain('"pod":"pay"');
  });

  it.each([
    ["pay", "shop"],
    ["safe", "vault"],
  ])("reaches %s by its ClusterIP over mTLS, HTTP and TCP, by its name too", async (name, namespace) => {
    for (const host of [await rig.clusterIp(namespace, name), `${name}.${namespace}.svc.cluster.local`]) {
      await expect.poll(async () => (await fromClient(`http://${host}/`)).text).toMatch(CLIENT);
      expect((await fromClient(`http://${host}/`)).text).toContain(`"pod":"${name}"`);
      expect((await fromClient(`http://${host}:81/`)).text).toContain(`"pod":"${name}"`);
    }
  });

  it("reaches what the mesh does not know as before, and addresses that stand for nothing not at all", async () => {
    expect((await fromClient(`http://${await rig.ip("default", "plain")}:8080/`)).text).toContain(
      '"pod":"plain"',
    );
    expect((await fromClient("http://10.251.255.254/")).code).not.toBe(0);
    expect((await fromClient(`http://${await rig.ip("shop", "client")}:15001/`)).code).not.toBe(0);
  });
});

describe("a neighbour without a sidecar", () => {
  it("reaches what is permissive, in plain text and as nobody", async () => {
    const forged = ["-H", "x-forwarded-client-cert: By=spiffe://eu.x/ns/a/sa/b;URI=spiffe://eu.x/ns/a/sa/b"];
    for (const [namespace, name] of [
      ["shop", "pay"],
      ["vault", "desk"],
    ] as const)
      for (const host of [await rig.clusterIp(namespace, name), `${await rig.ip(namespace, name)}:8080`]) {
        const { text } = await fromOutsider(`http://${host}/`, ...forged);
        expect(text).toEqual(answersOf(name));
        expect(text).not.toContain("spiffe:");
      }
  });

  it("does not reach what is strict, nor the mesh's own ports, by any address", async () => {
    const safe = await rig.ip("vault", "safe");
    const control = await fromOutsider(`http://${await rig.ip("default", "plain")}:8080/`);
    expect(control.text).toEqual(answersOf("plain"));
    const places = [await rig.clusterIp("vault", "safe"), `${await rig.clusterIp("vault", "safe")}:81`];
    for (const place of [...places, ...[8080, 15_006, 15_001, 15_000].map((port) => `${safe}:${port}`)])
      expect((await fromOutsider(`http://${place}/`)).text, place).not.toContain('"pod"');
    const pay = await rig.ip("shop", "pay");
    for (const port of [15_006, 15_001, 15_000])
      expect((await fromOutsider(`http://${pay}:${port}/`)).text).not.toContain('"pod"');
  });

  it("is no neighbour where it comes from another cluster", async () => {
    const inUs = (host: string): Promise<Said> => rig.curl("default", "stranger", `http://${host}/`, "@us");
    await rig.exposed("default", "plain");
    await rig.exposed("shop", "pay");
    await rig.stranger("us");
    await expect
      .poll(async () => (await inUs(await rig.loadBalancer("default", "plain-lb"))).text, { timeout: 20_000 })
      .toContain('"pod":"plain"');
    const refused = await inUs(await rig.loadBalancer("shop", "pay-lb"));
    expect(refused.text).not.toContain('"pod"');
    expect(refused.code).not.toBe(0);
  });

  it("meets what the namespace says now, without a pod made anew", async () => {
    const answered = async (): Promise<boolean> =>
      (await fromOutsider(`http://${await rig.clusterIp("shop", "pay")}/`)).text.includes('"pod":"pay"');
    await rig.label("shop", "hansa.dev/inbound=strict");
    await expect.poll(answered, { timeout: 15_000 }).toBe(false);
    expect(await rig.inboundOf("shop/pay")).toBe("strict");
    expect((await fromClient(`http://${await rig.clusterIp("shop", "pay")}/`)).text).toMatch(CLIENT);
    await rig.label("shop", "hansa.dev/inbound-");
    await expect.poll(answered, { timeout: 15_000 }).toBe(true);
    expect(await rig.inboundOf("shop/pay")).toBe("permissive");
  });
});

it("a pod that asks for what is no mode is not made", async () => {
  const refused = rig.pods(["shop", "odd", SHELL, { "hansa.dev/inbound": "open" }]);
  await expect(refused).rejects.toThrow(/HSA7031 metadata\.annotations\["hansa\.dev\/inbound"\]/);
});
