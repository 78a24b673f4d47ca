/** One source: its keys, its two logs and the indexes over its live registers. */
import type { AccountKey, Crypto } from "@hansa/core";
import { LANES, type Lane, parseKey, type RecordEvidence } from "@hansa/events";
import { Chain, type ChainDump } from "./chain.ts";
import { KeyRing } from "./key-ring.ts";
import { type OnChange, Registers, type RegistersDump, type StoredRegister } from "./registers.ts";
import type { RegisterView, SourceName } from "./types.ts";

export interface LogState {
  chain: Chain;
  readonly registers: Registers;
  /** Why what is held may be old or incomplete; "" where it is whole. */
  degraded: string;
}

export interface Freeze {
  readonly reason: string;
  /** Key at the time; a later one lifts the freeze. */
  readonly keyId: string;
  /** The bundle that stays in force. */
  readonly bundle: RegisterView | null;
  /** What convinces others too; empty where the source's own heartbeat contradicted its log. */
  readonly proof: readonly RecordEvidence[];
}

export interface SourceDump {
  readonly account: AccountKey;
  readonly cluster: SourceName;
  readonly frozen: Freeze | null;
  readonly logs: Readonly<Record<Lane, { chain: ChainDump; registers: RegistersDump; degraded: string }>>;
}

export class Source {
  readonly account: AccountKey;
  readonly cluster: SourceName;
  readonly keys: KeyRing;
  readonly logs: Readonly<Record<Lane, LogState>>;
  frozen: Freeze | undefined;
  readonly #byType = new Map<string, Map<string, StoredRegister>>();
  readonly #byService = new Map<string, Map<string, StoredRegister>>();

  constructor(account: AccountKey, cluster: SourceName, crypto: Crypto, onChange: OnChange) {
    this.account = account;
    this.cluster = cluster;
    this.keys = new KeyRing(crypto);
    const watch: OnChange = (before, after) => {
      this.#index(before, after);
      onChange(before, after);
    };
    const log = (lane: Lane): LogState => ({
      chain: new Chain(this.keys.rank),
      registers: new Registers(lane, crypto, this.keys.rank, watch),
      degraded: "",
    });
    this.logs = { sum: log("sum"), ep: log("ep") };
  }

  get degraded(): boolean {
    return LANES.some((lane) => this.logs[lane].degraded !== "");
  }

  get(key: string): RegisterView | undefined {
    const lane: Lane = key.startsWith("endpoint/") ? "ep" : "sum";
    return this.logs[lane].registers.get(key)?.view;
  }

  ofType(type: string): Iterable<StoredRegister> {
    return this.#byType.get(type)?.values() ?? [];
  }

  countOf(type: string): number {
    return this.#byType.get(type)?.size ?? 0;
  }

  ofService(namespace: string, name: string): Iterable<StoredRegister> {
    return this.#byService.get(`${namespace}/${name}`)?.values() ?? [];
  }

  /** `<namespace>/<name>`. */
  services(): Iterable<string> {
    return this.#byService.keys();
  }

  #index(before: StoredRegister | undefined, after: StoredRegister | undefined): void {
    const isReplaced = before?.type === after?.type && after?.view !== undefined;
    if (before?.view !== undefined && !isReplaced) {
      remove(this.#byType, before.type, before.key);
      const service = serviceOf(before.key);
      if (service !== undefined) remove(this.#byService, service, before.key);
    }
    if (after?.view !== undefined) {
      add(this.#byType, after.type, after);
      const service = serviceOf(after.key);
      if (service !== undefined) add(this.#byService, service, after);
    }
  }

  dump(): SourceDump {
    const log = ({ chain, registers, degraded }: LogState) => ({
      chain: chain.dump(),
      registers: registers.dump(),
      degraded,
    });
    const { account, cluster, frozen, logs } = this;
    return { account, cluster, frozen: frozen ?? null, logs: { sum: log(logs.sum), ep: log(logs.ep) } };
  }

  restore(dump: SourceDump): void {
    this.frozen = dump.frozen ?? undefined;
    for (const lane of LANES) {
      const log = this.logs[lane];
      const from = dump.logs[lane];
      log.chain = new Chain(this.keys.rank, from.chain);
      log.degraded = from.degraded;
      log.registers.restore(from.registers);
    }
  }
}

/** Whether a key belongs to a service, and to which. */
function serviceOf(key: string): string | undefined {
  const parts = parseKey(key);
  if (parts?.type !== "ServiceSet" && parts?.type !== "LoadSet" && parts?.type !== "EndpointSet")
    return undefined;
  return `${parts.namespace}/${parts.name}`;
}

type Index = Map<string, Map<string, StoredRegister>>;

function add(index: Index, name: string, register: StoredRegister): void {
  const entries = index.get(name);
  if (entries === undefined) index.set(name, new Map([[register.key, register]]));
  else entries.set(register.key, register);
}

function remove(index: Index, name: string, key: string): void {
  const entries = index.get(name);
  entries?.delete(key);
  if (entries?.size === 0) index.delete(name);
}
