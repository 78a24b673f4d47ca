/**
 * Operator commands: a payload with k operator signatures that any member's log may carry (design §4). Owns the bytes
 * and the count of signatures; what a valid command does is the fold's.
 */
import { base64, type Crypto, canonicalJson, fromBase64, hex, type Signer, utf8 } from "@hansa/core";
import { at, BadValue } from "./check.ts";
import type { Problem } from "./membership.ts";
import { keyIdOf } from "./record.ts";
import type { CommandValue, OperatorPayload, SignatureOf } from "./registers.ts";
import { operatorPayload } from "./values.ts";

export interface Operators {
  /** base64 raw Ed25519, distinct. */
  readonly keys: readonly string[];
  readonly threshold: number;
}

export type CheckedCommand =
  | { readonly kind: "ok"; readonly payload: OperatorPayload; readonly hash: string }
  | Problem;

const problem = (message: string): Problem => ({ kind: "problem", code: "HSA3007", message });

const commandBytes = (payload: string): Uint8Array => utf8(`hansa-command-v1\n${payload}`);

/** Canonical JSON: what every operator signs. It names the fingerprint, so no second federation takes it. */
export const encodeCommand = (payload: OperatorPayload): string => canonicalJson(payload);

/** Hex hash of a payload: its name in an `operators` order's `keeps`. */
export const commandHash = (payload: string, crypto: Pick<Crypto, "sha256">): string =>
  hex(crypto.sha256(commandBytes(payload)));

/** One operator's signature over an encoded payload. */
export const signCommand = (
  payload: string,
  signer: Signer,
  crypto: Pick<Crypto, "sha256">,
): SignatureOf => ({
  key: keyIdOf(signer.publicKey, crypto),
  sig: base64(signer.sign(commandBytes(payload))),
});

/** Form and federation only; no signature is looked at. */
export function decodeCommand(
  value: CommandValue,
  fingerprint: string,
  crypto: Pick<Crypto, "sha256">,
): CheckedCommand {
  let payload: OperatorPayload;
  try {
    payload = at("payload", operatorPayload, JSON.parse(value.payload));
  } catch (error) {
    return problem(error instanceof BadValue ? error.place : "payload: not JSON");
  }
  if (payload.fingerprint !== fingerprint) return problem("payload.fingerprint: names another federation");
  return { kind: "ok", payload, hash: commandHash(value.payload, crypto) };
}

/** At least `threshold` distinct operators have signed this very payload for this federation. */
export function verifyCommand(
  value: CommandValue,
  operators: Operators,
  fingerprint: string,
  crypto: Crypto,
): CheckedCommand {
  const decoded = decodeCommand(value, fingerprint, crypto);
  if (decoded.kind === "problem") return decoded;
  const bytes = commandBytes(value.payload);
  const signers = operators.keys.filter((key) => {
    const publicKey = fromBase64(key);
    if (publicKey === undefined) return false;
    const id = keyIdOf(publicKey, crypto);
    return value.signatures.some((entry) => {
      const signature = entry.key === id ? fromBase64(entry.sig) : undefined;
      return signature !== undefined && crypto.verify(publicKey, bytes, signature);
    });
  });
  if (signers.length < operators.threshold)
    return problem(
      `command ${decoded.payload.id}: ${signers.length} of ${operators.threshold} operator signatures are valid`,
    );
  return decoded;
}
