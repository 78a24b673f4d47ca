/**
 * The real iptables-restore and ip6tables-restore, on nftables and on the kernel's older tables: the machine's own, or out of
 * Debian's packages, unpacked beside the other tools. What pods of a real cluster have in `rulesImage`.
 */
import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toolDir } from "../../../deploy/tools/paths.mjs";

export const FLAVOURS = ["nft", "legacy"] as const;
export type Flavour = (typeof FLAVOURS)[number];

const PACKAGES = [
  "iptables",
  ...["libip4tc2", "libip6tc2", "libmnl0", "libnetfilter-conntrack3", "libnfnetlink0", "libnftnl11"],
  "libxtables12",
];

/** Folder of the two programs. Throws where the machine neither has nor can get them. */
export function realIptables(flavour: Flavour): string {
  const base = installed();
  const program = join(base, "usr/sbin", `xtables-${flavour}-multi`);
  const [library = ""] = globSync(join(base, "usr/lib/*/xtables"));
  const folder = join(toolDir(), "iptables-programs", flavour);
  mkdirSync(folder, { recursive: true });
  for (const name of ["iptables-restore", "ip6tables-restore"]) {
    const text = `#!/bin/sh
export LD_LIBRARY_PATH=${join(library, "..")} XTABLES_LIBDIR=${library}
exec ${program} ${name} "$@"
`;
    writeFileSync(join(folder, name), text, { mode: 0o755 });
  }
  return folder;
}

/** The root that their paths begin at. */
function installed(): string {
  if (existsSync("/usr/sbin/xtables-nft-multi")) return "/";
  const root = join(toolDir(), "iptables");
  if (existsSync(root)) return root;
  const draft = `${root}.${process.pid}`;
  mkdirSync(draft, { recursive: true });
  const got = () => spawnSync("apt-get", ["download", ...PACKAGES], { cwd: draft }).status === 0;
  if (!got()) {
    spawnSync("apt-get", ["update"]);
    if (!got()) throw new Error("no iptables: install it, or let apt-get download Debian's packages");
  }
  for (const file of globSync(join(draft, "*.deb"))) {
    const { status, stderr } = spawnSync("dpkg-deb", ["-x", file, draft]);
    if (status !== 0) throw new Error(`${file}: ${stderr}`);
    rmSync(file);
  }
  renameSync(draft, root);
  return root;
}
