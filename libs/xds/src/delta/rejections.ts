/**
 * What one proxy has refused, kept over its reconnects: a refused version is not served to it again as long as there
 * is a version that it had accepted, so a proxy that restarts comes back with its last good configuration.
 * Bounded: a rejection goes when the resource is accepted in another version or removed, at the latest when the
 * newest REJECTIONS_MAX push it out.
 */
import type { Entry } from "./layer.ts";

export interface Rejection {
  readonly typeUrl: string;
  readonly name: string;
  /** The version that was refused. */
  readonly version: string;
  /** Revision of the refused version: nothing from there on counts as acknowledged. */
  readonly revision: number;
  /** The last version that this proxy accepted from this server, if any. */
  readonly good: Entry | undefined;
  /** gRPC status code of the refusal, and the proxy's own words. */
  readonly status: number;
  readonly message: string;
  readonly atMs: number;
}

/** Per type. A proxy that loses one only gets the refused version once more. */
export const REJECTIONS_MAX = 1000;

export class ProxyMemory {
  private readonly byType = new Map<string, Map<string, Rejection>>();

  get(typeUrl: string, name: string): Rejection | undefined {
    return this.byType.get(typeUrl)?.get(name);
  }

  reject(rejection: Rejection): void {
    const { typeUrl, name } = rejection;
    const good = rejection.good ?? this.get(typeUrl, name)?.good;
    const ofType = this.byType.get(typeUrl) ?? new Map<string, Rejection>();
    ofType.delete(name);
    ofType.set(name, { ...rejection, good });
    if (ofType.size > REJECTIONS_MAX) ofType.delete(ofType.keys().next().value as string);
    this.byType.set(typeUrl, ofType);
  }

  /** `version` undefined = the removal was accepted. Accepting the last good version again changes nothing. */
  accept(typeUrl: string, name: string, version: string | undefined): void {
    const rejection = this.get(typeUrl, name);
    if (rejection === undefined || (version !== undefined && rejection.good?.version === version)) return;
    const ofType = this.byType.get(typeUrl);
    ofType?.delete(name);
    if (ofType?.size === 0) this.byType.delete(typeUrl);
  }

  /** Oldest first; may hold some of versions that are no longer current. Undefined = none. */
  ofType(typeUrl: string): Iterable<Rejection> | undefined {
    return this.byType.get(typeUrl)?.values();
  }
}
