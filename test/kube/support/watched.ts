/** A reflector of EndpointSlices that keeps a diary, for tests that judge what was told and when. */
import { type Change, ENDPOINT_SLICES, type KubeClient, Reflector, type ReflectorOptions } from "@hansa/kube";
import { expect } from "vitest";
import type { Counted } from "./client.ts";
import { projectSlice, type Slice } from "./slices.ts";

export interface Watched {
  readonly reflector: Reflector<Slice>;
  readonly ports: Counted;
  /** In order: `set default/a`, `removed default/b`. */
  readonly diary: string[];
  names(): string[];
  stop(): void;
}

/** Resolves when it is synced. */
export async function watched(
  client: KubeClient,
  ports: Counted,
  options: Partial<ReflectorOptions<Slice>> = {},
): Promise<Watched> {
  const diary: string[] = [];
  const reflector = new Reflector<Slice>({
    client,
    ports,
    resource: ENDPOINT_SLICES,
    namespace: "default",
    project: projectSlice,
    onChanges: (changes: readonly Change<Slice>[]) =>
      void diary.push(...changes.map(({ kind, key }) => `${kind} ${key}`)),
    ...options,
  });
  reflector.start();
  await expect.poll(() => reflector.synced, { timeout: 20_000 }).toBe(true);
  return {
    reflector,
    ports,
    diary,
    names: () => [...reflector.values.keys()].map((key) => key.replace("default/", "")).sort(),
    stop: () => reflector.stop(),
  };
}

export const removals = (diary: readonly string[]): string[] =>
  diary.filter((line) => line.startsWith("removed"));
