/**
 * Doubles of the defences in Envoy's configuration: each takes what the generator made and leaves one thing out, so that
 * an attack can be shown to work without it. The product has no switch for any of this.
 */
import { proto, type Resources } from "@hansa/xds";

type Kind = keyof Resources;

function edit<Desc extends proto.DescMessage>(
  resources: Resources,
  kind: Kind,
  schema: Desc,
  change: (message: proto.MessageShape<Desc>) => void,
): Resources {
  const changed = [...resources[kind]].map(([name, bytes]): [string, Uint8Array] => {
    const message = proto.fromBinary(schema, bytes);
    change(message);
    return [name, proto.toBinary(schema, message)];
  });
  return { ...resources, [kind]: new Map(changed) };
}

type Extension = Pick<proto.Filter | proto.TransportSocket, "configType">;

/** Changes the message inside a typed extension where it is one of `schema`. */
function editInside<Desc extends proto.DescMessage>(
  extension: Extension | undefined,
  schema: Desc,
  change: (message: proto.MessageShape<Desc>) => void,
): void {
  if (extension?.configType.case !== "typedConfig") return;
  const message = proto.anyUnpack(extension.configType.value, schema);
  if (message === undefined) return;
  change(message);
  extension.configType = { case: "typedConfig", value: proto.anyPack(schema, message) };
}

/** One list of CAs for everybody, as `ca` of most TLS libraries: the leaf's own trust domain plays no part. */
export const pooledRoots = (resources: Resources, rootsPem: readonly string[]): Resources =>
  edit(resources, "secrets", proto.SecretSchema, ({ type }) => {
    if (type.case !== "validationContext") return;
    delete type.value.customValidatorConfig;
    type.value.trustedCa = proto.create(proto.DataSourceSchema, {
      specifier: { case: "inlineString", value: rootsPem.join("") },
    });
  });

/** Chains of the inbound listener without the filter that wants exactly one URI. */
export const withoutGuard = (resources: Resources): Resources =>
  edit(resources, "listeners", proto.ListenerSchema, ({ filterChains }) => {
    for (const chain of filterChains)
      chain.filters = chain.filters.filter(({ configType }) => {
        const rbac =
          configType.case === "typedConfig"
            ? proto.anyUnpack(configType.value, proto.NetworkRBACSchema)
            : undefined;
        return rbac?.statPrefix !== "one_uri";
      });
  });

/** Policies as most meshes write them: a principal that any of the leaf's names may satisfy. */
export const classicPolicy = (resources: Resources, callers: readonly string[]): Resources => {
  const principals = callers.map((exact) => ({
    identifier: {
      case: "authenticated" as const,
      value: { principalName: { matchPattern: { case: "exact" as const, value: exact } } },
    },
  }));
  const policies = {
    callers: { permissions: [{ rule: { case: "any" as const, value: true } }], principals },
  };
  const rules = proto.create(proto.HttpRBACSchema, { rules: { policies } });
  return edit(resources, "extensionConfigs", proto.TypedExtensionConfigSchema, (config) => {
    config.typedConfig = proto.anyPack(proto.HttpRBACSchema, rules);
  });
};

const editManagers = (
  resources: Resources,
  change: (manager: proto.HttpConnectionManager) => void,
): Resources =>
  edit(resources, "listeners", proto.ListenerSchema, ({ filterChains }) => {
    for (const filter of filterChains.flatMap(({ filters }) => filters))
      editInside(filter, proto.HttpConnectionManagerSchema, change);
  });

/** Keeps what the caller says of itself in x-forwarded-client-cert. */
export const trustingXfcc = (resources: Resources): Resources =>
  editManagers(resources, (manager) => {
    manager.forwardClientCertDetails =
      proto.HttpConnectionManager_ForwardClientCertDetails.ALWAYS_FORWARD_ONLY;
  });

/** Judges and passes on a path as it was sent. */
export const rawPaths = (resources: Resources): Resources =>
  editManagers(resources, (manager) => {
    manager.normalizePath = false;
    manager.mergeSlashes = false;
  });

/** Passes on header names that many applications read as if their underscores were dashes. */
export const anyHeaderName = (resources: Resources): Resources =>
  editManagers(resources, ({ commonHttpProtocolOptions }) => {
    if (commonHttpProtocolOptions !== undefined)
      commonHttpProtocolOptions.headersWithUnderscoresAction =
        proto.CoreHttpProtocolOptions_HeadersWithUnderscoresAction.ALLOW;
  });

/** A rule against one path, as Hansa's policies never have: they name callers only. */
export const withoutPath = (resources: Resources, exact: string): Resources => {
  const path = {
    rule: { case: "path" as const, value: { matchPattern: { case: "exact" as const, value: exact } } },
  };
  const rule = { case: "urlPath" as const, value: path };
  const principals = [{ identifier: { case: "any" as const, value: true } }];
  const policies = { path: { permissions: [{ rule }], principals } };
  const rules = proto.create(proto.HttpRBACSchema, { rules: { action: proto.RBAC_Action.DENY, policies } });
  return edit(resources, "extensionConfigs", proto.TypedExtensionConfigSchema, (config) => {
    config.typedConfig = proto.anyPack(proto.HttpRBACSchema, rules);
  });
};

/** A client that takes the mesh for a safe network. */
export const withoutTls = (resources: Resources): Resources =>
  edit(resources, "clusters", proto.ClusterSchema, (cluster) => {
    delete cluster.transportSocket;
    cluster.transportSocketMatches = [];
  });

/** A client that believes every server of a trusted CA, whatever id it shows. */
export const anyServerId = (resources: Resources): Resources =>
  edit(resources, "clusters", proto.ClusterSchema, ({ transportSocket, transportSocketMatches }) => {
    for (const socket of [transportSocket, ...transportSocketMatches.map((match) => match.transportSocket)])
      editInside(socket, proto.UpstreamTlsContextSchema, ({ commonTlsContext }) => {
        const type = commonTlsContext?.validationContextType;
        if (type?.case !== "combinedValidationContext") return;
        for (const san of type.value.defaultValidationContext?.matchTypedSubjectAltNames ?? [])
          if (san.matcher !== undefined) san.matcher.matchPattern = { case: "prefix", value: "spiffe://" };
      });
  });
