/** kubectl against one context, as a user would type it. Every call has a deadline. */
import { spawn } from "node:child_process";

export interface KubectlResult {
  /** Null where it was killed. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface KubectlOptions {
  readonly stdin?: string;
  readonly timeoutMs?: number;
  /** Ends it at once, for what would go on until then. */
  readonly signal?: AbortSignal;
}

export interface Kubectl {
  /** Resolves however it ended. */
  run(args: readonly string[], options?: KubectlOptions): Promise<KubectlResult>;
  /** Resolves to stdout; throws with stderr where it did not end with 0. */
  ok(args: readonly string[], options?: KubectlOptions): Promise<string>;
}

export function kubectlFor(binary: string, kubeconfig: string, context: string): Kubectl {
  // Its cache of what an API server serves goes beside the kubeconfig: in the user's it would outlive the lab.
  const cache = `--cache-dir=${kubeconfig}.cache`;
  const common = [`--kubeconfig=${kubeconfig}`, `--context=${context}`, cache];
  const run = (args: readonly string[], { stdin, timeoutMs = 30_000, signal }: KubectlOptions = {}) =>
    new Promise<KubectlResult>((resolve, reject) => {
      const child = spawn(binary, [...common, ...args], { stdio: ["pipe", "pipe", "pipe"] });
      const texts = { stdout: "", stderr: "" };
      for (const name of ["stdout", "stderr"] as const) {
        child[name].setEncoding("utf8");
        child[name].on("data", (text: string) => {
          texts[name] += text;
        });
      }
      const overdue = setTimeout(() => {
        texts.stderr += `\nkilled after ${timeoutMs} ms`;
        child.kill("SIGKILL");
      }, timeoutMs);
      signal?.addEventListener("abort", () => child.kill("SIGKILL"));
      child.once("error", reject);
      child.once("close", (code) => {
        clearTimeout(overdue);
        resolve({ code, ...texts });
      });
      // A kubectl that reads no stdin may be gone before it is written.
      child.stdin.on("error", () => {});
      child.stdin.end(stdin ?? "");
    });
  const ok = async (args: readonly string[], options?: KubectlOptions): Promise<string> => {
    const { code, stdout, stderr } = await run(args, options);
    if (code !== 0)
      throw new Error(`kubectl --context=${context} ${args.join(" ")}: ${code}: ${stderr.trim()}`);
    return stdout;
  };
  return { run, ok };
}
