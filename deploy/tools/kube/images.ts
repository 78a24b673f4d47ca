/** Which program stands for which container image in a lab. Whoever has more images gives them to `startKube`. */
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { envoyBinary, node24, root } from "../paths.mjs";

export interface LabImage {
  /** Repository, or the last part of one, without tag and digest: `netshoot` stands for `nicolaka/netshoot:v0.15` too. */
  readonly name: string;
  /** What a pod's `command` replaces. */
  readonly entrypoint?: readonly string[];
  /** What a pod's `args` replaces. */
  readonly cmd?: readonly string[];
  /** Folders put first on PATH. */
  readonly path?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Tools that the emulator's program is, by the name under which it is called (test/kube/node/applets). */
const applets = [
  "curl",
  "nc",
  "nslookup",
  "socat",
  "echo-server",
  "pause",
  "iptables-restore",
  "ip6tables-restore",
];

const NO_WARNING = "--disable-warning=ExperimentalWarning";

/** The lab's own images; `dir` gets their tools. */
export function labImages(dir: string, emulator: string): LabImage[] {
  const tools = join(dir, "tools");
  rmSync(tools, { recursive: true, force: true });
  mkdirSync(tools, { recursive: true });
  for (const name of applets) symlinkSync(emulator, join(tools, name));
  symlinkSync(join(root, "services/agent/bin/hansa-ask.mjs"), join(tools, "hansa-ask"));
  const node = node24() ?? "node";
  const service = (name: string): string => join(root, "services", name, "src/main.ts");
  const shell = (name: string): LabImage => ({ name, cmd: ["sh"], path: [tools] });
  return [
    // HTTP on $PORT (8080): says which cluster, namespace and pod answered, and what it was asked.
    { name: "echo", entrypoint: [join(tools, "echo-server")] },
    { name: "pause", entrypoint: [join(tools, "pause")] },
    { name: "socat", entrypoint: [join(tools, "socat")], path: [tools] },
    { name: "node", entrypoint: [node], path: [tools] },
    // Of Hansa's own manifests: this checkout's agent and hub, what sets a sidecar's rules, and stock Envoy.
    { name: "hansa-agent", entrypoint: [node, NO_WARNING, service("agent")], path: [tools, dirname(node)] },
    { name: "hansa-hub", entrypoint: [node, NO_WARNING, service("hub")] },
    { name: "envoy", entrypoint: [envoyBinary()], path: [dirname(envoyBinary())] },
    shell("hansa-rules"),
    shell("hansa"),
    ...["netshoot", "busybox", "alpine", "curl"].map(shell),
  ];
}
