import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CASES } from "./cases/index.ts";
import { type OwnTarget, startOwnTarget } from "./own-target.ts";
import { NODE_ID, runXds } from "./run.ts";

let own: OwnTarget;
/** A control API without the optional POST, as another server may have it. */
const plainControl = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    if (request.method === "POST") return response.writeHead(405).end();
    const body = chunks.length === 0 ? {} : { body: Buffer.concat(chunks) };
    void fetch(`${own.controlUrl}${request.url}`, { method: request.method ?? "GET", ...body }).then(
      (answer) => response.writeHead(answer.status).end(),
    );
    return response;
  });
});

beforeAll(async () => {
  own = await startOwnTarget(NODE_ID);
  await new Promise<void>((resolve) => plainControl.listen(0, "127.0.0.1", resolve));
});

afterAll(async () => {
  plainControl.closeAllConnections();
  await new Promise((resolve) => plainControl.close(resolve));
  await own.close();
});

const external = () => {
  const { port } = plainControl.address() as AddressInfo;
  return ["--target", own.address, "--control", `http://127.0.0.1:${port}`];
};

test("another server is driven through its two addresses; cases beyond the protocol are left out", async () => {
  const lines: string[] = [];
  const count = await runXds(external(), (line) => lines.push(line));
  const wanted = CASES.filter(({ beyond }) => !beyond);
  expect(lines.filter((line) => !line.startsWith("ok"))).toEqual([]);
  expect(count).toEqual({ passed: wanted.length, failed: 0 });
  expect(wanted.length).toBeGreaterThanOrEqual(60);
  const all = await runXds([...external(), "--all", "--only", "23"], () => {});
  expect(all).toEqual({ passed: 4, failed: 0 });
});

test("a server that is not there fails its cases, with the reason", async () => {
  const lines: string[] = [];
  const args = ["--target", "127.0.0.1:1", "--control", "http://127.0.0.1:1", "--only", "19.2"];
  expect(await runXds(args, (line) => lines.push(line))).toEqual({ passed: 0, failed: 1 });
  expect(lines[0]).toMatch(/^FAIL 19\.2/);
  expect(lines[1]).toMatch(/the stream ended with 14/);
});

test.each([[["--target", "127.0.0.1:1"]], [["--tls-cert", "x.pem"]], [["--nonsense"]], [["--only", "99"]]])(
  "wrong usage is refused: %j",
  async (args) => {
    await expect(runXds(args, () => {})).rejects.toMatchObject({ code: "HSA1001", exitStatus: 64 });
  },
);
