/** The fold (signatures first; bodies follow). */
import type { AccountKey } from "@hansa/core";
import type { Head, Heartbeat, Lane, Operators, RegisterType } from "@hansa/events";
import type {
  AcceptedCommand,
  ApplyOptions,
  ApplyOutcome,
  BeatFindings,
  FederationOptions,
  Finding,
  FoldInput,
  Member,
  RegisterOf,
  RegisterView,
  SourceInfo,
} from "./types.ts";

const later = (): never => {
  throw new Error("being written");
};

export class Federation {
  readonly options: FederationOptions;
  constructor(options: FederationOptions) {
    this.options = options;
  }
  /** Total: never throws. */
  apply(_input: FoldInput, _options: ApplyOptions = {}): ApplyOutcome {
    return later();
  }
  /** A heartbeat whose signature was verified with `source(account).signingKey`. */
  observeBeat(_beat: Heartbeat): BeatFindings {
    return later();
  }
  source(_account: string): SourceInfo | undefined {
    return later();
  }
  /** Also "hub". The account in force. */
  sourceByCluster(_name: string): SourceInfo | undefined {
    return later();
  }
  members(): readonly Member[] {
    return later();
  }
  member(_cluster: string): Member | undefined {
    return later();
  }
  /** A live register as its source wrote it, whatever its effect. */
  get(_cluster: string, _key: string): RegisterView | undefined {
    return later();
  }
  registers(_cluster: string, _lane?: Lane): Iterable<RegisterView> {
    return later();
  }
  /** Live registers of one type, as written. */
  ofType<Type extends RegisterType>(_cluster: string, _type: Type): Iterable<RegisterOf<Type>> {
    return later();
  }
  /** Service, load and endpoint registers of one service, as written. */
  ofService(_cluster: string, _namespace: string, _name: string): Iterable<RegisterView> {
    return later();
  }
  /** (namespace, name) of every service that has a register of any of these kinds. */
  serviceNames(_cluster: string): Iterable<{ namespace: string; name: string }> {
    return later();
  }
  /**
   * The register where it has effect: inside its grant, by its right writer, of a member that is active or draining.
   * `observer`: the cluster that looks; namespaces and addresses of its own facts need no grant (its exports do).
   */
  effective(_cluster: string, _key: string, _observer?: string): RegisterView | undefined {
    return later();
  }
  /** The same rule for a view at hand; a service outside its namespaces is answered without its export. */
  effect<View extends RegisterView>(_cluster: string, _view: View, _observer?: string): View | undefined {
    return later();
  }
  findings(): readonly Finding[] {
    return later();
  }
  heads(): readonly Head[] {
    return later();
  }
  digest(): string {
    return later();
  }
  laneDigest(_account: AccountKey, _lane: Lane): string {
    return later();
  }
  operators(): Operators {
    return later();
  }
  /** base64 raw key of the hub's log now. */
  hubKey(): string {
    return later();
  }
  commands(): readonly AcceptedCommand[] {
    return later();
  }
  /** JSON-serialisable. Parked records are not part of it: they show as gaps and are fetched again. */
  dump(): unknown {
    return later();
  }
  /** undefined where `dump` is not a dump of this federation. */
  static restore(_dump: unknown, _options: FederationOptions): Federation | undefined {
    return later();
  }
}
