/** Pods of the lab go on while their API server is away, and what it says when it is back is what holds. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KubeCluster } from "../../deploy/tools/kube/cluster.ts";
import { type Kube, startKube } from "../../deploy/tools/kube/kube.ts";
import { expectOutput, field, run } from "./support/ask.ts";

let kube: Kube;
let eu: KubeCluster;

beforeAll(async () => {
  kube = await startKube({ clusters: ["eu"], etcd: "each", nodes: {} });
  eu = kube.cluster("eu");
  await start("first");
});
afterAll(() => kube.close());

describe("pods", () => {
  it("go on over a crash of the API server, and new ones start after it", async () => {
    const before = await processOf("first");
    await eu.restartApiServer();
    await start("second");
    expect(await processOf("first")).toBe(before);
    expect((await run(eu, "first", "exit 3")).code).toBe(3);
  });

  it("are those of the backup after a restore: what was there goes on, what came later ends", async () => {
    await kube.backUp("eu", "two");
    const before = await processOf("first");
    await start("third");
    const lost = Number((await processOf("third")).split("://")[1]);
    await kube.restore("eu", "two");
    await expect.poll(() => isAlive(lost), { timeout: 15_000 }).toBe(false);
    await start("fourth");
    expect(await processOf("first")).toBe(before);
    expect(await eu.kubectl.ok(["get", "pods", "-o", "name"])).toBe("pod/first\npod/fourth\npod/second\n");
  });

  it("start anew after a power cut of their nodes", async () => {
    const before = await processOf("first");
    await kube.restartNodes();
    await expect.poll(() => processOf("first"), { timeout: 15_000 }).not.toBe(before);
    await expectOutput(eu, ["exec", "first", "--", "echo", "here"], /^here\n$/);
  });

  it("lend a port to who asks by kubectl", async () => {
    await eu.apply(pod("echo", "echo"));
    await eu.kubectl.ok(["wait", "pod/echo", "--for=condition=Ready", "--timeout=20s"]);
    const forwarding = eu.kubectl.run(["port-forward", "pod/echo", `--address=${kube.address}`, "8080"], {
      timeoutMs: 4_000,
    });
    const ask = async (): Promise<string> =>
      await fetch(`http://${kube.address}:8080/`).then(
        (answer) => answer.text(),
        () => "",
      );
    await expect.poll(ask, { timeout: 3_500 }).toContain('"pod":"echo"');
    await forwarding;
  });
});

async function start(name: string): Promise<void> {
  await eu.apply(pod(name, "busybox", ["sleep", "3600"]));
  await eu.kubectl.ok(["wait", `pod/${name}`, "--for=condition=Ready", "--timeout=20s"]);
}

function pod(name: string, image: string, command: readonly string[] = []): string {
  const spec = { containers: [{ name, image, command }] };
  return JSON.stringify({ apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "default" }, spec });
}

/** `process://PID`. */
function processOf(name: string): Promise<string> {
  return field(eu, `pod/${name}`, ".status.containerStatuses[0].containerID");
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
