/**
 * TLS by which pods and the API server know their agent: short leaves of a root of the cluster's own, and the rotation of
 * that root. Everybody trusts all roots of the bundle; a new one is in it long before it signs, an old one long after.
 */
import { type Clock, HansaError, type Random } from "@hansa/core";
import {
  createTlsAuthority,
  fromPem,
  type KeyStore,
  loadTlsAuthority,
  type TlsAuthority,
} from "@hansa/identity";

const FILE = "sidecars-ca.json";
const DAY_MS = 86_400_000;
/** A root that is this old gets a successor. */
export const ROOT_AGE_MS = 365 * DAY_MS;
/** A pod trusts what was in the bundle when it was made: its proxy must be made anew within this. */
export const OVERLAP_MS = 30 * DAY_MS;

export interface ServingTlsOptions {
  readonly store: KeyStore;
  readonly cluster: string;
  /** DNS names and addresses by which the agent is reached. */
  readonly names: readonly string[];
  readonly ports: { readonly clock: Clock; readonly random: Random };
}

interface Root {
  /** Key and certificate. */
  readonly pem: string;
  readonly sinceMs: number;
}

interface State {
  /** Oldest first; at most two. */
  readonly roots: readonly Root[];
  /** Which of them signs. */
  readonly active: number;
}

export class ServingTls {
  readonly #options: ServingTlsOptions;
  #state: State;
  /** Kept: to read a root takes a millisecond, and it is asked for all the time. */
  #bundlePem = "";
  /** The bundle that the API server is known to have. */
  #published = "";

  constructor(options: ServingTlsOptions) {
    this.#options = options;
    const stored = options.store.read(FILE);
    this.#state = stored === undefined ? { roots: [], active: 0 } : parse(stored);
    if (this.#state.roots.length === 0) this.#become({ roots: [this.#newRoot()], active: 0 });
    else this.#readBundle();
  }

  /** PEM of every root that counts. */
  get bundlePem(): string {
    return this.#bundlePem;
  }

  issue(): { readonly certPem: string; readonly keyPem: string } {
    const root = this.#state.roots[this.#state.active];
    if (root === undefined) throw new HansaError("HSA1004", `${FILE}: names a root that it does not hold`);
    return this.#authority(root).issueServer(this.#options.names);
  }

  /** The API server trusts this bundle now. */
  published(bundlePem: string): void {
    this.#published = bundlePem;
  }

  /** Takes the next step of a rotation where it is due by this wall clock; true where the bundle or the signer is another now. */
  step(nowMs: number): boolean {
    const { roots, active } = this.#state;
    const [first, second] = roots;
    const ageMs = (root: Root | undefined): number => (root === undefined ? 0 : nowMs - root.sinceMs);
    if (second === undefined) {
      if (ageMs(first) < ROOT_AGE_MS) return false;
      this.#become({ roots: [...roots, this.#newRoot()], active });
      return true;
    }
    if (active === 0) {
      if (ageMs(second) < OVERLAP_MS || this.#published !== this.bundlePem) return false;
      this.#become({ roots, active: 1 });
      return true;
    }
    if (ageMs(second) < 2 * OVERLAP_MS) return false;
    this.#become({ roots: [second], active: 0 });
    return true;
  }

  #become(state: State): void {
    this.#options.store.write(FILE, JSON.stringify(state));
    this.#state = state;
    this.#readBundle();
  }

  #readBundle(): void {
    this.#bundlePem = this.#state.roots.map((root) => this.#authority(root).certPem).join("");
  }

  #newRoot(): Root {
    const { cluster, ports } = this.#options;
    const authority = createTlsAuthority(`sidecars ${cluster}`, ports);
    return { pem: authority.exportKey() + authority.certPem, sinceMs: ports.clock.nowMs() };
  }

  #authority({ pem }: Root): TlsAuthority {
    return loadTlsAuthority({ keyPem: pem, certPem: pem, ...this.#options.ports });
  }
}

function parse(text: string): State {
  try {
    const { roots, active } = JSON.parse(text) as State;
    if (roots.length > 0 && active < roots.length && roots.every(({ pem }) => fromPem(pem).length === 1))
      return { roots, active };
  } catch {
    // Said below.
  }
  throw new HansaError(
    "HSA1004",
    `${FILE}: holds no roots; restore it from its backup, or remove it and restart all pods`,
  );
}
