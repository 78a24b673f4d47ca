/**
 * `hansa operator sign`: makes a command (--order) or adds a signature to one that others signed already (FILE). k-of-n
 * signatures are collected by passing one file round; nothing is sent.
 */
import { randomBytes } from "node:crypto";
import { HansaError } from "@hansa/core";
import { type CommandValue, decodeCommand, encodeCommand, verifyCommand } from "@hansa/events";
import { nodeCrypto } from "@hansa/identity";
import { type FederationFacts, federationFacts, memberNamed } from "../mesh/federation.ts";
import type { Context } from "../shell/context.ts";
import { isoTime, say } from "../shell/output.ts";
import { type Action, type Shell, wholeNumber } from "../shell/program.ts";
import { commandDocument, readCommand, writeCommand } from "./command-file.ts";
import { completeOrder, type OrderText, orderInWords, parseOrder } from "./orders.ts";
import { addSignatures, loadSigners } from "./signers.ts";

export const action: Action = async (shell, [file], options) => {
  if ((file === undefined) === (options.order === undefined))
    throw new HansaError("HSA1001", "give either a FILE to add a signature to, or --order for a new command");
  const order = options.order === undefined ? undefined : parseOrder(String(options.order));
  const incarnation =
    options.incarnation === undefined
      ? undefined
      : wholeNumber("--incarnation", options.incarnation, 1, 2 ** 31);
  const signers = loadSigners(shell, options.key as string[]);
  const offline = options.fingerprint === undefined ? undefined : String(options.fingerprint);
  const unsigned =
    order === undefined
      ? readCommand(file!)
      : {
          payload: await newPayload(shell, order, { offline, incarnation, keep: options.keep as string[] }),
          signatures: [],
        };
  const decoded = decodeCommand(unsigned, offline ?? fingerprintIn(unsigned), nodeCrypto);
  if (decoded.kind === "problem")
    throw new HansaError(decoded.code, `${file ?? "--order"}: ${decoded.message}`);

  const signed = addSignatures(unsigned, signers);
  const out = options.out === undefined ? file : String(options.out);
  if (out !== undefined) writeCommand(out, signed);
  const { payload } = decoded;
  say(`signed: ${orderInWords(payload.order)}, made ${isoTime(payload.atMs)}`);
  say(
    `signatures: ${signed.signatures.map(({ key }) => key).join(", ")}${out === undefined ? "" : `; written to ${out}`}`,
  );
  const { apiVersion: _version, kind, ...data } = commandDocument(signed);
  return { kind, data, text: () => JSON.stringify(commandDocument(signed), null, 2) };
};

interface NewPayload {
  readonly offline: string | undefined;
  readonly incarnation: number | undefined;
  readonly keep: readonly string[];
}

async function newPayload(shell: Shell, order: OrderText, { offline, incarnation, keep }: NewPayload) {
  const fingerprint = offline ?? (await federationFacts(shell.context())).fingerprint;
  const needed = "cluster" in order;
  const number = !needed
    ? null
    : (incarnation ?? (await memberNamed(shell.context(), order.cluster)).incarnation);
  return payloadFor(order, fingerprint, number, keep);
}

/** The bytes to sign. The random id makes each command a new one. */
export function payloadFor(
  order: OrderText,
  fingerprint: string,
  incarnation: number | null,
  keep: readonly string[] = [],
): string {
  const complete = completeOrder(order, incarnation, keep);
  const subject = "cluster" in order ? `-${order.cluster}` : "";
  return encodeCommand({
    fingerprint,
    id: `${order.do}${subject}-${randomBytes(8).toString("hex")}`,
    atMs: Date.now(),
    order: complete,
  });
}

function fingerprintIn({ payload }: CommandValue): string {
  try {
    return String((JSON.parse(payload) as { fingerprint?: unknown }).fingerprint);
  } catch {
    return "";
  }
}

/** Throws HSA3007 where too few operators have signed, before anything is sent. */
export function mustBeSigned(value: CommandValue, { operators, fingerprint }: FederationFacts) {
  const checked = verifyCommand(value, operators, fingerprint, nodeCrypto);
  if (checked.kind === "problem") throw new HansaError(checked.code, checked.message);
  return checked;
}

/** A signed command for an order, by the keys at hand or out of a file in which they were collected. */
export async function signedOrder(
  shell: Shell,
  context: Context,
  order: OrderText,
  options: Readonly<Record<string, unknown>>,
): Promise<CommandValue> {
  const facts = await federationFacts(context);
  if (options.signed !== undefined) {
    const file = String(options.signed);
    const value = readCommand(file);
    const { payload } = mustBeSigned(value, facts);
    const named = "cluster" in payload.order ? payload.order.cluster : "";
    if (payload.order.do !== order.do || ("cluster" in order && named !== order.cluster))
      throw new HansaError("HSA1004", `${file}: orders "${orderInWords(payload.order)}", not ${order.do}`);
    return value;
  }
  const incarnation = "cluster" in order ? (await memberNamed(context, order.cluster)).incarnation : null;
  const signers = loadSigners(shell, options.key as string[]);
  const value = addSignatures(
    { payload: payloadFor(order, facts.fingerprint, incarnation), signatures: [] },
    signers,
  );
  mustBeSigned(value, facts);
  return value;
}
