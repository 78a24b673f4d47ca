/** Runs a program in a container, by client-node's Exec over a WebSocket. Whoever may exec there may read what is there. */
import { Writable } from "node:stream";
import type { V1Status } from "@kubernetes/client-node";
import { type Problem, problem } from "../client/problem.ts";
import { type KubeconfigPlace, loadKubeconfig } from "../config/kubeconfig.ts";
import type { KubePorts } from "../ports.ts";

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

export interface ExecTarget {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

export type Executed =
  | { readonly ok: true; readonly code: number; readonly stdout: string; readonly stderr: string }
  | { readonly ok: false; readonly problem: Problem };

/** Throws HSA7004 where the kubeconfig cannot be used. */
export async function execInPod(
  place: KubeconfigPlace,
  { namespace, pod, container }: ExecTarget,
  command: readonly string[],
  { timers, timeoutMs }: Pick<KubePorts, "timers"> & { readonly timeoutMs: number },
): Promise<Executed> {
  const config = await loadKubeconfig(place);
  const { Exec } = await import("@kubernetes/client-node");
  const [stdout, stderr] = [sink(), sink()];
  const where = `exec in ${namespace}/${pod}`;
  return await new Promise<Executed>((resolve) => {
    let close = (): void => {};
    const fail = (kind: "unreachable" | "absent" | "forbidden", message: string): void =>
      end({ ok: false, problem: problem(kind, `${where}: ${message}`) });
    const timer = timers.after(timeoutMs, () => fail("unreachable", `no end within ${timeoutMs} ms`));
    function end(outcome: Executed): void {
      timer.cancel();
      close();
      resolve(outcome);
    }
    const status = (said: V1Status): void => {
      const code = codeOfStatus(said);
      if (code === undefined) fail("unreachable", said.message ?? "ended without an exit code");
      else end({ ok: true, code, stdout: stdout.text(), stderr: stderr.text() });
    };
    new Exec(config)
      .exec(namespace, pod, container, [...command], stdout.stream, stderr.stream, null, false, status)
      .then(
        (socket) => {
          close = () => socket.close();
          socket.on("close", () => fail("unreachable", "the connection ended"));
        },
        (error: unknown) => {
          const message = messageOf(error);
          fail(
            /\b403\b/.test(message) ? "forbidden" : /\b404\b/.test(message) ? "absent" : "unreachable",
            message,
          );
        },
      );
  });
}

/** Kubernetes API concepts, `Status`: NonZeroExitCode carries the code as a cause. */
function codeOfStatus({ status, details }: V1Status): number | undefined {
  if (status === "Success") return 0;
  const cause = details?.causes?.find(({ reason }) => reason === "ExitCode")?.message;
  return cause === undefined || Number.isNaN(Number(cause)) ? undefined : Number(cause);
}

/** A WebSocket that is refused fails with an ErrorEvent, whose own message is the status that came. */
function messageOf(error: unknown): string {
  const { message } = (error ?? {}) as { readonly message?: unknown };
  return typeof message === "string" && message !== "" ? message : "the connection failed";
}

function sink(): { readonly stream: Writable; text(): string } {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      sizeBytes += chunk.length;
      if (sizeBytes <= OUTPUT_BYTES_MAX) chunks.push(Buffer.from(chunk));
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString("utf8") };
}
