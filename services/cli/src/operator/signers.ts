/** Operator keys at hand: files named by --key, or those that the context names (the lab's only operator). */
import { readFileSync, statSync } from "node:fs";
import { HansaError, isHansaError, type Signer } from "@hansa/core";
import { type CommandValue, signCommand } from "@hansa/events";
import { loadSigner, nodeCrypto } from "@hansa/identity";
import type { Shell } from "../shell/program.ts";

/** Throws HSA1001 where there is none, HSA3002 where others may read one, HSA1004 where one is no Ed25519 key. */
export function loadSigners(shell: Shell, files: readonly string[]): Signer[] {
  const chosen = files.length > 0 ? files : shell.context().operatorKeys;
  if (chosen.length === 0)
    throw new HansaError(
      "HSA1001",
      "--key FILE is needed: the context names no operator key (make one with `hansa operator key --out FILE`)",
    );
  return chosen.map(loadKey);
}

function loadKey(file: string): Signer {
  let pem: string;
  try {
    if ((statSync(file).mode & 0o077) !== 0)
      throw new HansaError("HSA3002", `${file}: others may read this operator key; chmod 600 it`);
    pem = readFileSync(file, "utf8");
  } catch (error) {
    if (isHansaError(error)) throw error;
    throw new HansaError("HSA1004", `--key ${file}: cannot be read (${(error as Error).message})`, {
      cause: error,
    });
  }
  try {
    return loadSigner(pem);
  } catch (error) {
    throw new HansaError("HSA1004", `--key ${file}: ${(error as Error).message}`, { cause: error });
  }
}

/** The command with the signers' signatures added; a key that signed before signs anew, so none counts twice. */
export function addSignatures(value: CommandValue, signers: readonly Signer[]): CommandValue {
  const added = signers.map((signer) => signCommand(value.payload, signer, nodeCrypto));
  const kept = value.signatures.filter(({ key }) => !added.some((one) => one.key === key));
  const distinct = added.filter(({ key }, index) => added.findIndex((one) => one.key === key) === index);
  return { payload: value.payload, signatures: [...kept, ...distinct] };
}
