/**
 * A pod as it is written → the patch that puts a sidecar into it. Pure: the webhook and `hansa inject` give the same.
 * A pod is patched wholly or not at all.
 */
import { proxyContainer, rulesContainer, volumes } from "./containers.ts";
import { decide } from "./decide.ts";
import { readExclusions } from "./exclusions.ts";
import { INJECTED, PROXY_LABEL } from "./names.ts";
import type { PatchOperation, Pod } from "./pod.ts";
import { rewriteProbes } from "./probes.ts";
import { isPod } from "./read-pod.ts";
import { refusalsOf } from "./refusals.ts";
import type { InjectSettings } from "./settings.ts";

/** Of what an injected pod looks like; another number is another shape. */
export const SHAPE = "2";
/** More messages help nobody. */
const PROBLEMS_MAX = 20;

export type Injection =
  | { readonly kind: "patch"; readonly patch: readonly PatchOperation[] }
  | { readonly kind: "leave"; readonly reason: string }
  | { readonly kind: "refuse"; readonly code: "HSA7031"; readonly problems: readonly string[] };

export function inject(
  pod: unknown,
  namespaceLabels: Readonly<Record<string, string>>,
  settings: InjectSettings,
): Injection {
  const misshapen: string[] = [];
  if (!isPod(pod, misshapen)) return refuse(misshapen);
  const decision = decide(pod, namespaceLabels);
  if (decision.kind === "leave") return decision;
  if (decision.kind === "refuse") return refuse([decision.message]);
  const exclusions = readExclusions(pod);
  const { probes, replaced, problems } = rewriteProbes(pod);
  const all = [...refusalsOf(pod), ...exclusions.problems, ...problems];
  if (all.length > 0) return refuse(all);
  const excluded = {
    ...exclusions.found,
    outboundCidrs: [...settings.excludeOutboundCidrs, ...exclusions.found.outboundCidrs],
  };
  const own = [rulesContainer(settings, excluded), proxyContainer(settings, probes)];
  return {
    kind: "patch",
    patch: [
      // Places of containers count from before the injector's own come in.
      ...[...replaced].map(([path, value]): PatchOperation => ({ op: "replace", path, value })),
      ...inFront("/spec/initContainers", pod.spec.initContainers, own),
      ...appended("/spec/volumes", pod.spec.volumes, volumes()),
      ...marks(pod.metadata),
    ],
  };
}

function marks(metadata: Pod["metadata"] | null): PatchOperation[] {
  const labels = { [PROXY_LABEL]: "sidecar" };
  const annotations = { [INJECTED]: SHAPE };
  if (metadata === undefined || metadata === null)
    return [{ op: "add", path: "/metadata", value: { labels, annotations } }];
  return [
    ...merged("/metadata/labels", metadata.labels, labels),
    ...merged("/metadata/annotations", metadata.annotations, annotations),
  ];
}

const refuse = (problems: readonly string[]): Injection => ({
  kind: "refuse",
  code: "HSA7031",
  problems: problems.slice(0, PROBLEMS_MAX),
});

function inFront(
  path: string,
  there: readonly unknown[] | null | undefined,
  items: readonly object[],
): PatchOperation[] {
  if (there === undefined || there === null) return [{ op: "add", path, value: items }];
  return items.map((value, index) => ({ op: "add", path: `${path}/${index}`, value }));
}

function appended(
  path: string,
  there: readonly unknown[] | null | undefined,
  items: readonly object[],
): PatchOperation[] {
  if (there === undefined || there === null) return [{ op: "add", path, value: items }];
  return items.map((value) => ({ op: "add", path: `${path}/-`, value }));
}

function merged(
  path: string,
  there: object | null | undefined,
  entries: Readonly<Record<string, string>>,
): PatchOperation[] {
  if (there === undefined || there === null) return [{ op: "add", path, value: entries }];
  return Object.entries(entries).map(([name, value]) => ({
    op: "add",
    path: `${path}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`,
    value,
  }));
}
