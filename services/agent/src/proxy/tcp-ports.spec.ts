import { expect, test } from "vitest";
import type { Disk } from "../ports.ts";
import { TCP_PORTS_MAX, TcpPorts } from "./tcp-ports.ts";

function memoryDisk(): Disk {
  const files = new Map<string, Uint8Array>();
  return { read: (name) => files.get(name), write: (name, content) => void files.set(name, content) };
}

const names = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, index) => `tcp.s${index + from}.shop.svc.lab.hansa`);

test("so many names have ports and no more, and those that have one keep it over a restart", () => {
  const disk = memoryDisk();
  const ports = new TcpPorts(disk, 16_000);
  ports.ensure(names(TCP_PORTS_MAX));
  expect(ports.all().size).toBe(TCP_PORTS_MAX);
  expect(new Set(ports.all().values()).size).toBe(TCP_PORTS_MAX);
  expect(Math.max(...ports.all().values())).toBe(16_000 + TCP_PORTS_MAX - 1);
  const before = [...ports.all()];
  ports.ensure(names(1, TCP_PORTS_MAX));
  expect([...ports.all()]).toEqual(before);
  expect([...new TcpPorts(disk, 16_000).all()]).toEqual(before);
});

test("no port lies beyond the last one there is", () => {
  const ports = new TcpPorts(memoryDisk(), 65_530);
  ports.ensure(names(10));
  expect(Math.max(...ports.all().values())).toBe(65_535);
  expect(ports.all().size).toBe(6);
});
