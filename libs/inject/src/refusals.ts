/** What cannot work with a sidecar, all of it at once, each by its field. Empty = it can. */
import {
  IDENTITY_VOLUME,
  INBOUND,
  INBOUND_MODE,
  PROXY_CONTAINER,
  PROXY_PORTS,
  PROXY_UID,
  RULES_CONTAINER,
  RUN_VOLUME,
} from "./names.ts";
import type { Container, Pod } from "./pod.ts";

const LINUX = { name: "linux" };
const OWN_CONTAINERS: readonly string[] = [PROXY_CONTAINER, RULES_CONTAINER];
const OWN_VOLUMES: readonly string[] = [IDENTITY_VOLUME, RUN_VOLUME];

export function refusalsOf({ metadata, spec }: Pod): string[] {
  const problems: string[] = [];
  const inbound = metadata?.annotations?.[INBOUND_MODE];
  if (inbound !== undefined && !INBOUND.some((mode) => mode === inbound))
    problems.push(
      `metadata.annotations["${INBOUND_MODE}"]: ${JSON.stringify(inbound)} is neither ${INBOUND.join(" nor ")}`,
    );
  if (spec.hostNetwork === true)
    problems.push("spec.hostNetwork: the node's network is not one pod's to intercept");
  if ((spec.os ?? LINUX).name !== LINUX.name)
    problems.push(`spec.os.name: the proxy runs on linux, not on ${spec.os?.name}`);
  if (spec.securityContext?.runAsUser === PROXY_UID)
    problems.push(`spec.securityContext.runAsUser: ${PROXY_UID} is the proxy's, whose traffic is not taken`);
  for (const [index, { name }] of (spec.volumes ?? []).entries())
    if (OWN_VOLUMES.includes(name)) problems.push(`spec.volumes[${index}].name: ${name} is the injector's`);
  for (const place of ["initContainers", "containers"] as const)
    for (const [index, container] of (spec[place] ?? []).entries())
      problems.push(...containerProblems(container, `spec.${place}[${index}]`));
  return problems;
}

function containerProblems({ name, ports, securityContext }: Container, place: string): string[] {
  const problems: string[] = [];
  if (OWN_CONTAINERS.includes(name)) problems.push(`${place}.name: ${name} is the injector's`);
  if (securityContext?.runAsUser === PROXY_UID)
    problems.push(
      `${place}.securityContext.runAsUser: ${PROXY_UID} is the proxy's, whose traffic is not taken`,
    );
  for (const [index, { containerPort }] of (ports ?? []).entries())
    if (PROXY_PORTS.includes(containerPort))
      problems.push(`${place}.ports[${index}].containerPort: ${containerPort} is the proxy's`);
  return problems;
}
