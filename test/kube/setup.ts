/**
 * Has the lab's programs built before any test's time runs: minutes on a machine that has none of them. In a process of
 * its own, since a build that blocked this one would look like a hang to the tests of other tiers.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export default async function setup(): Promise<void> {
  const script = fileURLToPath(new URL("./build.ts", import.meta.url));
  const build = spawn(process.execPath, [script], { stdio: ["ignore", "inherit", "inherit"] });
  const [code] = (await once(build, "close")) as [number | null];
  if (code !== 0) throw new Error(`${script}: ended with ${code}; see its output above`);
}
