import type { Streams } from "@hansa/ads";
import type { Timers } from "@hansa/core";
import type { TokenVerdict } from "@hansa/kube";
import { beforeEach, describe, expect, it } from "vitest";
import { GATEWAY_PODS_MAX, GatewayPods } from "./gateway-pods.ts";
import { ProxyDoor, UNKNOWN_WAIT_MS, UNKNOWN_WAITING_MAX } from "./proxy-door.ts";

const opened = {} as Streams;
const streams = (): Streams => opened;
const pod = { namespace: "shop", name: "pay-1", uid: "u-1", serviceAccount: "pay" };
const owner = (more: object = {}): TokenVerdict => ({
  authenticated: true,
  namespace: "shop",
  serviceAccount: "pay",
  podName: "pay-1",
  podUid: "u-1",
  ...more,
});

let verdict: TokenVerdict;
let due: (() => void) | undefined;
let door: ProxyDoor;
let come = 0;
const onCome = (): void => {
  come += 1;
};

beforeEach(() => {
  verdict = owner();
  due = undefined;
  come = 0;
  const after: Timers["after"] = (delayMs, run) => {
    expect(delayMs).toBe(UNKNOWN_WAIT_MS);
    due = run;
    return { cancel: () => (due = undefined) };
  };
  door = new ProxyDoor({ review: async () => verdict, timers: { after } as Timers });
  door.add({ pod, streams, onCome });
});

/** Answers once the time to wait for an unknown pod is over. */
async function admitted(authorization: string | undefined = "Bearer t"): Promise<unknown> {
  const admission = door.admit(authorization);
  for (let turn = 0; turn < 4; turn += 1) await Promise.resolve();
  due?.();
  return await admission;
}

it("a pod's own token opens streams of its proxy", async () => {
  expect(await admitted()).toEqual({ kind: "admitted", streams: opened });
  expect(due).toBeUndefined();
  expect(come).toBe(1);
});

it.each([[undefined], [""], ["t"], ["Basic t"], ["Bearer "], ["Bearer a b"]])(
  "%j is no token",
  async (authorization) => {
    expect(await door.admit(authorization)).toMatchObject({ kind: "refused", status: "UNAUTHENTICATED" });
  },
);

it.each<[string, TokenVerdict, string]>([
  ["that is not accepted", { authenticated: false, reason: "expired" }, "UNAUTHENTICATED"],
  [
    "that nobody can judge",
    { authenticated: undefined, problem: {} as never } as TokenVerdict,
    "UNAVAILABLE",
  ],
  ["bound to no pod", owner({ podName: undefined, podUid: undefined }), "PERMISSION_DENIED"],
  ["of another account", owner({ serviceAccount: "web" }), "PERMISSION_DENIED"],
  ["of the pod that had the name before", owner({ podUid: "u-0" }), "UNAVAILABLE"],
  ["of a pod without a proxy", owner({ podName: "web-1", podUid: "u-9" }), "UNAVAILABLE"],
  ["of a pod of the name elsewhere", owner({ namespace: "bank" }), "UNAVAILABLE"],
])("a token %s opens nothing", async (_what, given, status) => {
  verdict = given;
  const admission = await admitted();
  expect(admission).toMatchObject({ kind: "refused", status });
  expect((admission as { message: string }).message).not.toContain("expired");
  expect(come).toBe(0);
});

it("waits for a pod that was not heard of yet, for some streams and for some time", async () => {
  verdict = owner({ podName: "pay-2", podUid: "u-2" });
  const waiting = Array.from({ length: UNKNOWN_WAITING_MAX }, () => door.admit("Bearer t"));
  for (let turn = 0; turn < 4; turn += 1) await Promise.resolve();
  expect(await door.admit("Bearer t")).toMatchObject({ status: "RESOURCE_EXHAUSTED" });
  door.add({ pod: { ...pod, name: "pay-2", uid: "u-1" }, streams, onCome });
  door.add({ pod: { ...pod, name: "pay-2", uid: "u-2" }, streams, onCome });
  for (const admission of await Promise.all(waiting)) expect(admission).toMatchObject({ kind: "admitted" });
});

it("who is gone is let in no more; who came in his place still is", async () => {
  const before = { pod, streams, onCome };
  const after = { pod, streams, onCome };
  door.add(before);
  door.add(after);
  door.remove(before);
  expect(await admitted()).toMatchObject({ kind: "admitted" });
  door.remove(after);
  expect(await admitted()).toMatchObject({ status: "UNAVAILABLE" });
});

describe("a gateway in pods of its own", () => {
  const GATEWAY = { namespace: "hansa-system", serviceAccount: "hansa-gateway" };
  const from = (uid: string, more: object = {}) =>
    owner({ ...GATEWAY, podName: `gw-${uid}`, podUid: uid, ...more });
  let opened: { readonly status: () => object; isOpen: boolean }[];
  let gateway: GatewayPods;
  let close: () => void;

  beforeEach(() => {
    opened = [];
    gateway = new GatewayPods(GATEWAY, () => {
      const one = { isOpen: true, status: () => ({ streams: one.isOpen ? 1 : 0, types: [] }) };
      opened.push(one);
      return one as unknown as Streams;
    });
    close = door.addGateway(gateway);
  });
  const given = (next: TokenVerdict) => {
    verdict = next;
    return admitted();
  };

  it("is every pod of its account, each with streams of its own", async () => {
    const [a, b] = [await given(from("a")), await given(from("b"))];
    expect([a, b]).toEqual(opened.map((streams) => ({ kind: "admitted", streams })));
    expect(await given(from("a"))).toEqual(a);
  });

  it.each<[string, object]>([
    ["another account of its namespace", { serviceAccount: "default" }],
    ["an account of its name elsewhere", { namespace: "shop" }],
  ])("is no pod of %s", async (_what, more) => {
    expect(await given(from("a", more))).toMatchObject({ status: "UNAVAILABLE" });
    expect(opened).toEqual([]);
  });

  it("is no token without a pod, and nobody once it is closed", async () => {
    expect(await given(from("a", { podName: undefined, podUid: undefined }))).toMatchObject({
      status: "PERMISSION_DENIED",
    });
    close();
    expect(await given(from("a"))).toMatchObject({ status: "UNAVAILABLE" });
  });

  it("is so many pods and no more; who is gone makes room", async () => {
    for (let index = 0; index < GATEWAY_PODS_MAX; index += 1) await given(from(String(index)));
    expect(await given(from("late"))).toMatchObject({ status: "RESOURCE_EXHAUSTED" });
    opened[3]!.isOpen = false;
    expect(await given(from("late"))).toMatchObject({ kind: "admitted" });
  });
});
