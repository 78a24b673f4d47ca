/** `hansa operator key`: a new Ed25519 operator key. The private half goes to a file, never to the terminal. */
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { base64, HansaError } from "@hansa/core";
import { keyIdOf, newSigningKey } from "@hansa/identity";
import type { Action } from "../shell/program.ts";

export const action: Action = async (_shell, _args, options) => {
  const file = String(options.out);
  const { signer, pkcs8 } = newSigningKey();
  writeNew(file, pkcs8);
  const publicKey = base64(signer.publicKey);
  const keyId = keyIdOf(signer.publicKey);
  return {
    kind: "OperatorKey",
    data: { publicKey, keyId, file },
    text: () =>
      `public key  ${publicKey}\nkey id      ${keyId}\nprivate key ${file} (mode 0600: keep it offline)`,
  };
};

/** Never over an existing key: it may be the only copy. */
function writeNew(file: string, secret: string): void {
  try {
    const handle = openSync(file, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
    writeSync(handle, secret);
    closeSync(handle);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new HansaError(
      "HSA1004",
      code === "EEXIST"
        ? `--out ${file}: exists already; an operator key is never overwritten`
        : `--out ${file}: cannot be written (${message})`,
      { cause },
    );
  }
}
