/** Pods of the lab live as pods do: in order, with what they ask for, until they are told to end. */
import { existsSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { KubeCluster } from "../../deploy/tools/kube/cluster.ts";
import { type Kube, startKube } from "../../deploy/tools/kube/kube.ts";
import { expectOutput, field, run } from "./support/ask.ts";

let kube: Kube;
let eu: KubeCluster;

beforeAll(async () => {
  kube = await startKube({ clusters: ["eu"], nodes: { perCluster: 2 } });
  eu = kube.cluster("eu");
  await eu.apply(JSON.stringify(pod("client", { containers: [shell("sleep 3600")] })));
  await ready("client");
});
afterAll(() => kube.close());
afterEach(() => vi.unstubAllEnvs());

describe("kubectl", () => {
  it.each(["true", "false"])("gets a command's exit code and output, WebSockets: %s", async (webSockets) => {
    vi.stubEnv("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", webSockets);
    const { code, stdout, stderr } = await run(eu, "client", "echo out; echo err >&2; exit 3");
    expect([code, stdout]).toEqual([3, "out\n"]);
    expect(stderr).toContain("err\n");
  });

  it("sends stdin to a command, and its end", async () => {
    const piped = await eu.kubectl.run(["exec", "-i", "client", "--", "cat"], { stdin: "through\n" });
    expect([piped.code, piped.stdout]).toEqual([0, "through\n"]);
  });

  it("reads the output of a container, its end alone, and that of the run before", async () => {
    await start(pod("talks", { containers: [shell("seq 1 5; sleep 0.5; exit 1")] }));
    await expectOutput(eu, ["logs", "talks"], /^1\n2\n3\n4\n5\n$/);
    expect(await eu.kubectl.ok(["logs", "talks", "--tail=2"])).toBe("4\n5\n");
    await expectOutput(eu, ["logs", "talks", "--previous"], /^1\n2\n3\n4\n5\n$/);
    expect(Number(await field(eu, "pod/talks", ".status.containerStatuses[0].restartCount"))).toBeGreaterThan(
      0,
    );
  });
});

describe("a pod", () => {
  it("runs its steps in order, then its sidecar until the work is done, then the work", async () => {
    const note = (text: string): string => `echo ${text} >> /shared/notes`;
    const volumeMounts = [{ name: "shared", mountPath: "/shared" }];
    const side = shell(`${note("side")}; trap 'exit 0' TERM; while :; do sleep 0.1; done`, "side");
    await start(
      pod("ordered", {
        restartPolicy: "Never",
        volumes: [{ name: "shared", emptyDir: {} }],
        initContainers: [
          { ...shell(note("first"), "first"), volumeMounts },
          {
            ...side,
            volumeMounts,
            restartPolicy: "Always",
            startupProbe: { exec: { command: ["grep", "-q", "side", "/shared/notes"] }, periodSeconds: 1 },
          },
          { ...shell(note("second"), "second"), volumeMounts },
        ],
        containers: [{ ...shell(`${note("work")}; cat /shared/notes`, "work"), volumeMounts }],
      }),
    );
    await expectOutput(eu, phase("ordered"), /^Succeeded$/);
    expect(await eu.kubectl.ok(["logs", "ordered", "-c", "work"])).toBe("first\nside\nsecond\nwork\n");
    await expectOutput(
      eu,
      ["get", "pod/ordered", "-o", "jsonpath={.status.initContainerStatuses[1].state.terminated.exitCode}"],
      /^0$/,
    );
  });

  it("is ready when its probes say so, and is restarted when they say so", async () => {
    const probe = (file: string) => ({ exec: { command: ["test", "-e", file] }, periodSeconds: 1 });
    const work = shell("touch /tmp/alive; sleep 3600");
    const probes = {
      readinessProbe: probe("/tmp/ready"),
      livenessProbe: { ...probe("/tmp/alive"), failureThreshold: 1 },
    };
    await start(pod("probed", { containers: [{ ...work, ...probes }] }));
    await expectOutput(eu, phase("probed"), /^Running$/);
    expect(await field(eu, "pod/probed", readyPath)).toBe("False");
    await run(eu, "probed", "touch /tmp/ready");
    await ready("probed");
    await run(eu, "probed", "rm /tmp/alive");
    await expectOutput(
      eu,
      ["get", "pod/probed", "-o", "jsonpath={.status.containerStatuses[0].restartCount}"],
      /^1$/,
    );
  });

  it("finds what it asks for: its own fields, configuration, a token of its own audience", async () => {
    await eu.kubectl.ok(["create", "configmap", "settings", "--from-literal=colour=blue"]);
    const from = (fieldPath: string) => ({ valueFrom: { fieldRef: { fieldPath } } });
    const env = [
      { name: "IP", ...from("status.podIP") },
      { name: "NODE", ...from("spec.nodeName") },
      { name: "COLOUR", valueFrom: { configMapKeyRef: { name: "settings", key: "colour" } } },
      { name: "BOTH", value: "$(COLOUR) $$(COLOUR) $(NOTHING)" },
    ];
    const token = { serviceAccountToken: { audience: "hansa", expirationSeconds: 600, path: "token" } };
    const volumes = [
      { name: "settings", configMap: { name: "settings" } },
      { name: "own", projected: { sources: [token] } },
    ];
    const volumeMounts = [
      { name: "settings", mountPath: "/etc/settings" },
      { name: "own", mountPath: "/own" },
    ];
    await start(pod("asks", { volumes, containers: [{ ...shell("sleep 3600"), env, volumeMounts }] }));
    await ready("asks");
    const { stdout } = await run(eu, "asks", 'echo "$IP|$NODE|$BOTH|$(cat /etc/settings/colour)"');
    const [ip, node] = [
      await field(eu, "pod/asks", ".status.podIP"),
      await field(eu, "pod/asks", ".spec.nodeName"),
    ];
    expect(stdout).toBe(`${ip}|${node}|blue $(COLOUR) $(NOTHING)|blue\n`);
    const claims = (await run(eu, "asks", "cut -d. -f2 /own/token")).stdout;
    expect(JSON.parse(Buffer.from(claims, "base64url").toString())).toMatchObject({
      aud: ["hansa"],
      "kubernetes.io": { pod: { name: "asks" }, serviceaccount: { name: "default" } },
    });
  });

  it("is held to its security context", async () => {
    const securityContext = {
      runAsUser: 1000,
      runAsGroup: 1000,
      runAsNonRoot: true,
      readOnlyRootFilesystem: true,
    };
    const volumeMounts = [{ name: "scratch", mountPath: "/scratch" }];
    const work = { ...shell("sleep 3600"), securityContext, volumeMounts };
    await start(pod("held", { volumes: [{ name: "scratch", emptyDir: {} }], containers: [work] }));
    await ready("held");
    const { stdout } = await run(
      eu,
      "held",
      "id -u; touch /scratch/x && echo volume; touch /etc/x || echo root",
    );
    expect(stdout).toBe("1000\nvolume\nroot\n");
  });

  it("writes to nothing of the machine's", async () => {
    const path = "/usr/local/hansa-lab-was-here";
    await run(eu, "client", `touch ${path}`);
    expect((await run(eu, "client", `test -e ${path}`)).code).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  it("is given time to end, and is ended when that is over", async () => {
    const polite = "trap 'sleep 1; exit 0' TERM; while :; do sleep 0.1; done";
    const deaf = "trap '' TERM; while :; do sleep 0.1; done";
    await start(pod("polite", { containers: [shell(polite)] }));
    await start(pod("deaf", { terminationGracePeriodSeconds: 2, containers: [shell(deaf)] }));
    for (const name of ["polite", "deaf"]) await ready(name);
    const took = async (name: string): Promise<number> => {
      const began = performance.now();
      await eu.kubectl.ok(["delete", "pod", name]);
      return performance.now() - began;
    };
    const [forPolite, forDeaf] = await Promise.all([took("polite"), took("deaf")]);
    expect(forPolite).toBeGreaterThan(1_000);
    expect(forDeaf).toBeGreaterThan(2_000);
    expect(forDeaf).toBeLessThan(10_000);
  });

  it.each([
    [
      "an image that nothing stands for",
      { containers: [{ name: "c", image: "nginx:1" }] },
      "ErrImageNeverPull",
    ],
    ["the machine's network", { hostNetwork: true, containers: [shell("true")] }, "LabCannotRun"],
    [
      "to be no root, and no user",
      { securityContext: { runAsNonRoot: true }, containers: [shell("true")] },
      "CreateContainerConfigError",
    ],
  ])("that wants %s is refused with an Event", async (_what, spec, reason) => {
    const name = reason.toLowerCase();
    await start(pod(name, spec));
    const events = [
      "get",
      "events",
      `--field-selector=involvedObject.name=${name}`,
      "-o",
      "jsonpath={.items[*].reason}",
    ];
    await expectOutput(eu, events, new RegExp(reason));
    expect(await field(eu, `pod/${name}`, ".status.containerStatuses[0].state.waiting.reason")).toBe(reason);
    await eu.kubectl.ok(["delete", "pod", name, "--timeout=10s"]);
  });
});

describe("a node", () => {
  it("gets pods in turn, and those of a DaemonSet each its own", async () => {
    await eu.apply(daemonSet);
    const path = "jsonpath={range .items[*]}{.spec.nodeName} {end}";
    const nodes = ["get", "pods", "-l", "app=everywhere", "-o", path];
    const output = await expectOutput(eu, nodes, /\S+ \S+ /);
    expect(output.trim().split(" ").sort()).toEqual(["eu-node-0", "eu-node-1"]);
  });
});

const readyPath = '.status.conditions[?(@.type=="Ready")].status';

function shell(command: string, name = "shell") {
  return { name, image: "busybox", command: ["sh", "-c", command] };
}

function pod(name: string, spec: object): object {
  return { apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "default" }, spec };
}

async function start(manifest: object): Promise<void> {
  await eu.apply(JSON.stringify(manifest));
}

async function ready(name: string): Promise<void> {
  await eu.kubectl.ok(["wait", `pod/${name}`, "--for=condition=Ready", "--timeout=20s"]);
}

function phase(name: string): string[] {
  return ["get", `pod/${name}`, "-o", "jsonpath={.status.phase}"];
}

const daemonSet = `
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: everywhere, namespace: default }
spec:
  selector: { matchLabels: { app: everywhere } }
  template:
    metadata: { labels: { app: everywhere } }
    spec: { containers: [{ name: pause, image: registry.k8s.io/pause:3.10 }] }
`;
