/**
 * The fold with this cluster's own registers as it wants them now: local routing must not wait for the bus. The rules
 * of effect (grants, eviction) are the fold's own.
 */
import type { ClusterName } from "@hansa/core";
import { laneOf, type RegisterEvent, type RegisterType } from "@hansa/events";
import type { Federation, FederationReader, RegisterOf, RegisterView } from "@hansa/model";
import type { OwnRegisters } from "./log/own-registers.ts";

const PREFIX: Partial<Record<RegisterType, string>> = {
  ServiceSet: "service/",
  LoadSet: "load/",
  EndpointSet: "endpoint/",
  GatewaySet: "gateway/",
  IdentitySet: "identity/",
  LinkSet: "link/",
  PolicySet: "policy/",
  CommandSet: "command/",
  WantSet: "want/",
};

export interface LocalReader extends FederationReader {
  /** Only the named services of this cluster, for computing few of them again. */
  only(services: readonly { readonly namespace: string; readonly name: string }[]): FederationReader;
}

export function localReader(
  fed: Federation,
  self: ClusterName,
  own: OwnRegisters,
  /** False until the own facts are known whole: until then what the logs say of this cluster holds. */
  isSynced: () => boolean,
): LocalReader {
  const viewOf = (event: RegisterEvent): RegisterView => {
    const { type, key, at, data } = event;
    const lane = laneOf(type);
    const position = fed.get(self, key)?.position ?? { epoch: 0, seq: 0 };
    return { type, key, lane, at, position, value: data } as RegisterView;
  };
  const mine = (cluster: string): boolean => cluster === self && isSynced();

  function* ofService(namespace: string, name: string): Iterable<RegisterView> {
    const service = own.get(`service/${namespace}/${name}`);
    if (service !== undefined) yield viewOf(service);
    for (const kind of ["load", "endpoint"])
      for (const event of own.list(`${kind}/${namespace}/${name}/`)) yield viewOf(event);
  }

  function* ofType<Type extends RegisterType>(type: Type): Iterable<RegisterOf<Type>> {
    const prefix = PREFIX[type];
    if (prefix !== undefined) for (const event of own.list(prefix)) yield viewOf(event) as RegisterOf<Type>;
  }

  function* serviceNames(): Iterable<{ namespace: string; name: string }> {
    for (const event of own.list("service/")) {
      const [, namespace = "", name = ""] = event.key.split("/");
      yield { namespace, name };
    }
  }

  const reader: FederationReader = {
    options: fed.options,
    members: () => fed.members(),
    member: (cluster) => fed.member(cluster),
    effective(cluster, key, observer) {
      if (!mine(cluster)) return fed.effective(cluster, key, observer);
      const event = own.get(key);
      return event === undefined ? undefined : fed.effect(cluster, viewOf(event), observer);
    },
    effect: (cluster, view, observer) => fed.effect(cluster, view, observer),
    ofType: (cluster, type) => (mine(cluster) ? ofType(type) : fed.ofType(cluster, type)),
    ofService: (cluster, namespace, name) =>
      mine(cluster) ? ofService(namespace, name) : fed.ofService(cluster, namespace, name),
    serviceNames: (cluster) => (mine(cluster) ? serviceNames() : fed.serviceNames(cluster)),
  };

  return {
    ...reader,
    only: (services) => ({
      ...reader,
      ofType<Type extends RegisterType>(cluster: string, type: Type): Iterable<RegisterOf<Type>> {
        if (cluster !== self || type !== "ServiceSet") return reader.ofType(cluster, type);
        return services.flatMap(({ namespace, name }) => {
          const view = reader.effective(cluster, `service/${namespace}/${name}`, self);
          return view === undefined ? [] : [view as RegisterOf<Type>];
        });
      },
    }),
  };
}
