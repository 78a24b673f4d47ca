import { expect, test } from "vitest";
import { Component, type ComponentSpec, type Running } from "./component.ts";

function rig(overrides: Partial<Running> = {}) {
  const exit = Promise.withResolvers<{ code: number; signal: null }>();
  const end = async () => {
    exit.resolve({ code: 0, signal: null });
    return await exit.promise;
  };
  const running: Running = {
    pid: null,
    exited: exit.promise,
    isReady: async () => true,
    stop: end,
    kill: end,
    ...overrides,
  };
  const spec: ComponentSpec = {
    name: "eu/agent",
    kind: "agent",
    cluster: "eu",
    log: "",
    ports: {},
    admin: "",
    start: async () => running,
  };
  const seen: string[] = [];
  return { component: new Component(spec, ({ state }) => seen.push(state)), seen, exit };
}

test("each change of state is told once", async () => {
  const { component, seen } = rig();
  await component.start();
  await component.start();
  await component.stop();
  await component.start();
  expect(component.starts).toBe(2);
  await component.kill();
  expect(seen).toEqual(["starting", "running", "stopped", "starting", "running", "exited"]);
});

test("a process that ends by itself has exited", async () => {
  const { component, exit } = rig();
  await component.start();
  exit.resolve({ code: 1, signal: null });
  await exit.promise;
  await Promise.resolve();
  expect([component.state, component.pid]).toEqual(["exited", undefined]);
});

test("health is asked of what runs, and of nothing else", async () => {
  let ready = true;
  const { component } = rig({ isReady: async () => ready });
  expect(await component.isHealthy()).toBeUndefined();
  await component.start();
  expect(await component.isHealthy()).toBe(true);
  ready = false;
  expect([component.state, await component.isHealthy()]).toEqual(["running", false]);
  await component.kill();
  expect(await component.isHealthy()).toBeUndefined();
});

test("what does not start is named, and may be started again", async () => {
  const { component } = rig();
  const failing = new Component(
    { ...component.spec, start: () => Promise.reject(new Error("no such binary")) },
    () => {},
  );
  await expect(failing.start()).rejects.toMatchObject({
    code: "HSA6005",
    message: "eu/agent: no such binary",
  });
  expect(failing.state).toBe("exited");
  await expect(failing.start()).rejects.toMatchObject({ code: "HSA6005" });
});

test("only a process of this state is paused and resumed", async () => {
  const { component } = rig();
  expect(() => component.pause()).toThrow(/is stopped and must be running/);
  await component.start();
  expect(() => component.resume()).toThrow(/is running and must be paused/);
  expect(() => component.pause()).toThrow(/no process of the lab/);
});
