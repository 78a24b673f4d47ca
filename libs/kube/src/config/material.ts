/** What a connection to an API server is made of. Pure. */
import { sameJson } from "@hansa/core";

/** TLS: a change of it needs new connections. PEM. */
export interface TlsMaterial {
  readonly ca: string;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly serverName?: string | undefined;
}

export interface Material {
  readonly tls: TlsMaterial;
  /** `authorization`, `impersonate-user`; a change of them needs no new connection. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Where the material comes from. */
export interface MaterialSource {
  /** `https://host:port`, without a path. */
  readonly server: string;
  /** Namespace of the context or of this pod; "default" where none is named. */
  readonly namespace: string;
  /** For messages: `context eu of /home/a/.kube/config`. */
  readonly name: string;
  /**
   * Reads everything anew. `refused` = the API server has just refused what was read last, so nothing that a helper
   * remembers may be given again. Throws HSA7004.
   */
  read(refused: boolean): Promise<Material>;
}

export const sameTls = (a: TlsMaterial, b: TlsMaterial): boolean => sameJson(a, b);
export const sameHeaders = (a: Material, b: Material): boolean => sameJson(a.headers, b.headers);
