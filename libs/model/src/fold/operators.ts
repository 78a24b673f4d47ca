/**
 * Operator commands in force. Owns who the operators are and which signed commands count, whoever carried them; a
 * command stays in force when its carrier forgets it. What a command does to members is members.ts.
 */
import type { Crypto } from "@hansa/core";
import {
  type CommandValue,
  decodeCommand,
  type OperatorOrder,
  type Operators,
  verifyCommand,
} from "@hansa/events";
import type { AcceptedCommand } from "./types.ts";

export interface OperatorsDump {
  readonly operators: Operators;
  readonly keeps: readonly string[];
  readonly accepted: readonly AcceptedCommand[];
}

export type Considered =
  | { readonly kind: "accepted"; readonly order: OperatorOrder }
  | { readonly kind: "known" }
  | { readonly kind: "refused"; readonly message: string };

type OrderOf<Do extends OperatorOrder["do"]> = OperatorOrder & { readonly do: Do };

export class OperatorBook {
  readonly #fingerprint: string;
  readonly #crypto: Crypto;
  readonly #commandsMax: number;
  #operators: Operators;
  /** Hashes that the last change of operators kept in force. */
  #keeps: ReadonlySet<string> = new Set();
  readonly #accepted = new Map<string, AcceptedCommand>();
  /** In order of time; undefined after a change. */
  #sorted: readonly AcceptedCommand[] | undefined;

  constructor(operators: Operators, fingerprint: string, crypto: Crypto, commandsMax: number) {
    this.#operators = operators;
    this.#fingerprint = fingerprint;
    this.#crypto = crypto;
    this.#commandsMax = commandsMax;
  }

  get operators(): Operators {
    return this.#operators;
  }

  accepted(): readonly AcceptedCommand[] {
    this.#sorted ??= [...this.#accepted.values()].sort(byTime);
    return this.#sorted;
  }

  /** Orders of one kind in force, in order of their time. */
  orders<Do extends OperatorOrder["do"]>(
    kind: Do,
  ): readonly { readonly atMs: number; readonly order: OrderOf<Do> }[] {
    return this.accepted().flatMap(({ payload }) =>
      payload.order.do === kind ? [{ atMs: payload.atMs, order: payload.order as OrderOf<Do> }] : [],
    );
  }

  consider(value: CommandValue, id: string | undefined): Considered {
    const decoded = decodeCommand(value, this.#fingerprint, this.#crypto);
    if (decoded.kind === "problem") return { kind: "refused", message: decoded.message };
    const { hash, payload } = decoded;
    if (id !== undefined && id !== payload.id)
      return { kind: "refused", message: `the payload names command ${payload.id}` };
    if (this.#accepted.has(hash)) return { kind: "known" };
    if (this.#accepted.size >= this.#commandsMax)
      return { kind: "refused", message: `${this.#commandsMax} commands are in force already` };
    const checked = this.#keeps.has(hash)
      ? decoded
      : verifyCommand(value, this.#operators, this.#fingerprint, this.#crypto);
    if (checked.kind === "problem") return { kind: "refused", message: checked.message };
    this.#accepted.set(hash, { hash, payload, value });
    this.#sorted = undefined;
    if (payload.order.do === "operators" && !this.#keeps.has(hash)) this.#replace(payload.order, hash);
    return { kind: "accepted", order: payload.order };
  }

  /** Commands of the replaced operators end, but for those that the new order keeps. */
  #replace(order: OrderOf<"operators">, hash: string): void {
    this.#operators = { keys: order.keys, threshold: order.threshold };
    this.#keeps = new Set([...order.keeps, hash]);
    for (const known of this.#accepted.keys()) if (!this.#keeps.has(known)) this.#accepted.delete(known);
  }

  dump(): OperatorsDump {
    return { operators: this.#operators, keeps: [...this.#keeps], accepted: this.accepted() };
  }

  restore(dump: OperatorsDump): void {
    this.#operators = dump.operators;
    this.#keeps = new Set(dump.keeps);
    this.#sorted = undefined;
    for (const command of dump.accepted) this.#accepted.set(command.hash, command);
  }
}

function byTime(a: AcceptedCommand, b: AcceptedCommand): number {
  return a.payload.atMs - b.payload.atMs || (a.hash < b.hash ? -1 : 1);
}
