/** `hansa operator …`: the operators' keys and the commands that they sign. */
import type { Command } from "commander";
import { addCommand, lazily } from "../shell/program.ts";

export function addOperatorCommands(program: Command): void {
  const operator = program.command("operator").description("operator keys and signed commands");
  addCommand(operator, {
    usage: "key",
    summary: "make an operator key (Ed25519) and print its public half",
    options: [["--out <file>", "file of the private key, made with mode 0600", "operator-key.pem"]],
    action: lazily(() => import("./key.ts")),
  });
  addCommand(operator, {
    usage: "sign [file]",
    summary: "sign a new command (--order) or add a signature to FILE",
    options: [
      ["--order <order>", '"evict us", "drain us", "rekey us KEY", "hubkey KEY", "operators 2 KEY KEY KEY"'],
      ["--out <file>", "write the command there (default: FILE; with --order: stdout alone)"],
      ["--fingerprint <hex>", "the federation's fingerprint, to sign offline"],
      ["--incarnation <n>", "incarnation of the cluster's membership, to sign offline"],
    ],
    lists: [
      ["--key <file>", "operator key; may be repeated (default: the context's)"],
      ["--keep <hash>", "with operators: an earlier command that stays in force; may be repeated"],
    ],
    example: 'hansa operator sign --order "evict us" --key me.pem --out evict-us.json',
    action: lazily(() => import("./sign.ts")),
  });
  addCommand(operator, {
    usage: "send <file>",
    summary: "send a command that enough operators have signed",
    options: [["--via <cluster>", "let this cluster's agent carry it"]],
    action: lazily(() => import("./send.ts")),
  });
}
