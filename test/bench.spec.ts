/** What benchmarks are made of still runs; how fast is `npm run bench`'s affair. Needs no Go. */
import { expect, test } from "vitest";
import { bench as encode } from "./bench/encode/bench.ts";
import { nameOf } from "./bench/xds/assignments.ts";
import { startHansa } from "./bench/xds/cell.ts";
import { PLAINTEXT } from "./bench/xds/certificates.ts";
import { AdsClient } from "./conformance/xds/client.ts";
import { ENDPOINT } from "./conformance/xds/resources.ts";

test("the encoders agree and are measured", async () => {
  const [figure] = await encode.run({ seed: 1, quick: true, log: () => {} });
  expect(figure?.measured).toMatch(/^\d+\.\d µs, \d+× cheaper$/);
  expect(figure?.peer).toMatch(/^protobuf-es toBinary \d+ µs$/);
});

test("the xDS server under test changes one assignment per step, and tells its CPU time", async () => {
  const { program, address, control } = await startHansa({ names: 3, endpoints: 2, tls: PLAINTEXT });
  const client = new AdsClient({ address, nodeId: "bench" });
  try {
    client.send(ENDPOINT);
    const first = await client.next(ENDPOINT);
    expect(first.resources.map(({ name }) => name)).toEqual([0, 1, 2].map(nameOf));
    client.ack(first);
    for (const index of [0, 1, 2, 0]) {
      expect((await fetch(`${control}/step`, { method: "POST" })).status).toBe(204);
      const changed = await client.next(ENDPOINT);
      expect(changed.resources.map(({ name }) => name)).toEqual([nameOf(index)]);
      client.ack(changed);
    }
    const usage = (await (await fetch(`${control}/usage`)).json()) as { cpuUs: number };
    expect(usage.cpuUs).toBeGreaterThan(0);
  } finally {
    client.close();
    await program.end();
  }
}, 30_000);
