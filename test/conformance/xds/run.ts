/** Runs the xDS suite against Hansa's own server or any other, one line per case. */
import { parseArgs } from "node:util";
import { HansaError } from "@hansa/core";
import { runCase } from "./case.ts";
import { CASES } from "./cases/index.ts";
import type { Target } from "./client.ts";
import { type Control, httpControl } from "./control.ts";
import { startOwnTarget } from "./own-target.ts";

export const NODE_ID = "conformance";

export const USAGE = `usage: npm run conformance -- xds [--target HOST:PORT --control URL]
         [--tls-cert FILE --tls-key FILE] [--tls-ca FILE] [--node-id ID] [--all] [--only ID]
  --target, --control  another server and its control API (test/conformance/xds/README.md); default: Hansa's own
  --tls-…              client certificate, its key, and the CA that the server must chain to (PEM)
  --node-id            node id of every stream (default ${NODE_ID})
  --all                also the cases beyond the protocol: Hansa's promises on NACK, order, limits and owner
  --only               one case, or one rule: 11 or 11.3`;

interface Options {
  readonly target: Target | undefined;
  readonly controlUrl: string | undefined;
  readonly all: boolean;
  readonly only: string | undefined;
}

function options(args: readonly string[]): Options {
  const text = { type: "string" } as const;
  let values: ReturnType<typeof parse>["values"];
  const parse = () =>
    parseArgs({
      args: [...args],
      options: {
        target: text,
        control: text,
        "tls-cert": text,
        "tls-key": text,
        "tls-ca": text,
        "node-id": text,
        only: text,
        all: { type: "boolean" },
      },
    });
  try {
    values = parse().values;
  } catch (error) {
    throw new HansaError("HSA1001", `${(error as Error).message}\n${USAGE}`);
  }
  if ((values.target === undefined) !== (values.control === undefined))
    throw new HansaError("HSA1001", `--target and --control go together\n${USAGE}`);
  if ((values["tls-cert"] === undefined) !== (values["tls-key"] === undefined))
    throw new HansaError("HSA1001", `--tls-cert and --tls-key go together\n${USAGE}`);
  const tls = { cert: values["tls-cert"], key: values["tls-key"], ca: values["tls-ca"] };
  const nodeId = values["node-id"] ?? NODE_ID;
  return {
    target: values.target === undefined ? undefined : { address: values.target, tls, nodeId },
    controlUrl: values.control,
    all: values.all ?? values.target === undefined,
    only: values.only,
  };
}

/** Prints one line per case to `print`. Answers the counts. */
export async function runXds(
  args: readonly string[],
  print: (line: string) => void,
): Promise<{ passed: number; failed: number }> {
  const { target, controlUrl, all, only } = options(args);
  const wanted = CASES.filter(
    ({ id, beyond }) => (all || !beyond) && (only === undefined || id === only || id.startsWith(`${only}.`)),
  );
  if (wanted.length === 0) throw new HansaError("HSA1001", `--only: no case ${only}\n${USAGE}`);
  const own = target === undefined ? await startOwnTarget(NODE_ID) : undefined;
  const count = { passed: 0, failed: 0 };
  try {
    const to = target ?? { address: own?.address ?? "", nodeId: NODE_ID };
    const control: Control = httpControl(controlUrl ?? own?.controlUrl ?? "");
    for (const one of wanted) {
      const failure = await runCase(one, to, control);
      count[failure === undefined ? "passed" : "failed"] += 1;
      print(`${failure === undefined ? "ok  " : "FAIL"} ${one.id.padEnd(6)} ${one.family}: ${one.title}`);
      if (failure !== undefined) print(`     ${failure.message.replaceAll("\n", "\n     ")}`);
    }
  } finally {
    await own?.close();
  }
  return count;
}
