/**
 * The objects of an installation: deploy/kube and deploy/crds with this cluster's settings in them. The chart is where they come
 * from, so who joins by this command has what who installs the chart has, and needs no Helm. Pure but for reading those files.
 */
import { createHash } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { assert } from "@hansa/core";
import { parse, parseAllDocuments, stringify } from "yaml";
import { root } from "../../../../deploy/tools/paths.mjs";
import { object } from "../shell/api.ts";
import type { Manifest } from "./objects.ts";
import { GATEWAY_SERVICE, JOIN_SECRET, NAMESPACE } from "./place.ts";
import type { Settings } from "./settings.ts";

export interface Base {
  readonly namespace: readonly Manifest[];
  readonly crds: readonly Manifest[];
  readonly agent: readonly Manifest[];
}

const documents = (file: string): Manifest[] =>
  parseAllDocuments(readFileSync(join(root, file), "utf8")).map((one) => one.toJS() as Manifest);

export const readBase = (): Base => ({
  namespace: documents("deploy/kube/namespace.yaml"),
  crds: globSync("deploy/crds/*.yaml", { cwd: root }).sort().flatMap(documents),
  agent: documents("deploy/kube/agent.yaml"),
});

/** What goes before the agent: its rights and its Services, whose addresses its configuration names. */
export const isBefore = ({ kind }: Manifest): boolean => /Service|Role/.test(kind);

export const agentObjects = (base: readonly Manifest[], settings: Settings): Manifest[] => {
  const changed = base.map((manifest) => withData(manifest, settings));
  const hashOf = (name: string): string => {
    const config = changed.find((one) => one.kind === "ConfigMap" && one.metadata.name === name);
    assert(config !== undefined, `deploy/kube/agent.yaml has no ConfigMap ${name}`);
    return createHash("sha256").update(JSON.stringify(config.data)).digest("hex").slice(0, 16);
  };
  return changed.map((manifest) => labelled(adapted(manifest, settings, hashOf)));
};

function adapted(manifest: Manifest, settings: Settings, hashOf: (name: string) => string): Manifest {
  const { kind, metadata } = manifest;
  if (kind === "StatefulSet") return stored(workload(manifest, settings, hashOf(metadata.name)), settings);
  if (kind === "Deployment") return workload(manifest, settings, hashOf(metadata.name));
  if (kind === "Service" && metadata.name === GATEWAY_SERVICE) return gatewayService(manifest, settings);
  return manifest;
}

const ENTRY_SERVICE = { namespace: NAMESPACE, name: GATEWAY_SERVICE };

type Data = Readonly<Record<string, string>>;

function withData(manifest: Manifest, settings: Settings): Manifest {
  if (manifest.kind !== "ConfigMap") return manifest;
  const data = manifest.data as Data;
  const changed: Data = {
    ...(data["agent.yaml"] === undefined ? {} : { "agent.yaml": agentConfig(data["agent.yaml"], settings) }),
    ...(data["gateway.json"] === undefined
      ? {}
      : { "gateway.json": gatewayBootstrap(data["gateway.json"], settings) }),
  };
  return { ...manifest, data: { ...data, ...changed } };
}

function agentConfig(text: string, settings: Settings): string {
  const agent = object(parse(text));
  const { service, ...gateway } = object(agent.gateway);
  const kubernetes = object(object(agent.source).kubernetes);
  const changed = {
    ...agent,
    cluster: settings.cluster,
    region: settings.region,
    zones: settings.zones,
    network: settings.network,
    namespaces: settings.namespaces,
    cidrs: settings.cidrs,
    hub: { url: settings.hub },
    nats: { servers: settings.nats },
    source: {
      kubernetes: {
        ...kubernetes,
        sidecars: {
          ...object(kubernetes.sidecars),
          neighbourCidrs: settings.neighbourCidrs,
          ...(settings.gatewayImage === "" ? {} : { proxyImage: settings.gatewayImage }),
        },
        clusterSetIps: settings.clusterSetIps,
        serviceCidrs: settings.serviceCidrs,
        endpointSlices: settings.endpointSlices,
        ...(settings.gatewayMode ? { gatewayMode: { entryService: ENTRY_SERVICE } } : {}),
      },
    },
    gateway: {
      ...gateway,
      ...(settings.address === "" ? { service } : { address: settings.address }),
      port: settings.port,
    },
  };
  return stringify(changed, { aliasDuplicateObjects: false });
}

function gatewayBootstrap(text: string, { cluster, region, zones }: Settings): string {
  const bootstrap = object(JSON.parse(text));
  const node = { ...object(bootstrap.node), cluster, locality: { region, zone: zones[0] } };
  return JSON.stringify({ ...bootstrap, node }, null, 2);
}

type Fields = Record<string, unknown>;

function workload(manifest: Manifest, settings: Settings, hash: string): Manifest {
  const spec = object(manifest.spec);
  const template = object(spec.template);
  const metadata = object(template.metadata);
  const pod = object(template.spec);
  const containers = (pod.containers as Fields[]).map((container) => containerOf(container, settings));
  const labels = ownLabels(metadata.labels as Record<string, string>);
  const annotations = { ...object(metadata.annotations), "hansa.dev/config": hash };
  return {
    ...manifest,
    spec: {
      ...spec,
      template: { metadata: { ...metadata, labels, annotations }, spec: { ...pod, containers } },
    },
  };
}

/** Where the agent's keys are. */
function stored(manifest: Manifest, { ephemeral, storageClass }: Settings): Manifest {
  const { volumeClaimTemplates, persistentVolumeClaimRetentionPolicy, ...spec } = object(manifest.spec);
  if (!ephemeral) {
    const named = storageClass === "" ? {} : { storageClassName: storageClass };
    const claims = (volumeClaimTemplates as Fields[]).map((claim) => ({
      ...claim,
      spec: { ...object(claim.spec), ...named },
    }));
    return { ...manifest, spec: { ...object(manifest.spec), volumeClaimTemplates: claims } };
  }
  const template = object(spec.template);
  const pod = object(template.spec);
  const volumes = [...(pod.volumes as Fields[]), { name: "data", emptyDir: {} }];
  return { ...manifest, spec: { ...spec, template: { ...template, spec: { ...pod, volumes } } } };
}

function containerOf(container: Fields, { agentImage, gatewayImage, port }: Settings): Fields {
  const image = container.name === "agent" ? agentImage : gatewayImage;
  const ports = (container.ports as Fields[]).map((one) =>
    one.name === "mesh" ? { ...one, containerPort: port } : one,
  );
  return { ...container, ports, ...(image === "" ? {} : { image }) };
}

function gatewayService(manifest: Manifest, { serviceType, port }: Settings): Manifest {
  const { externalTrafficPolicy, ...spec } = object(manifest.spec);
  const ports = (spec.ports as Fields[]).map((one) => ({
    ...one,
    port,
    ...(serviceType === "NodePort" ? { nodePort: port } : {}),
  }));
  return {
    ...manifest,
    spec: {
      ...spec,
      ...(serviceType === "ClusterIP" ? {} : { externalTrafficPolicy }),
      type: serviceType,
      ports,
    },
  };
}

/** Helm looks for its own labels: what this command installs is not Helm's. */
function ownLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  const { "helm.sh/chart": _chart, ...others } = labels;
  return { ...others, "app.kubernetes.io/managed-by": "hansa" };
}

const labelled = (manifest: Manifest): Manifest => ({
  ...manifest,
  metadata: { ...manifest.metadata, labels: ownLabels(manifest.metadata.labels ?? {}) },
});

/** The agent makes these itself. Without its agent the first would keep pods from being made. */
export const MADE_BY_AGENT: readonly Manifest[] = [
  {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "MutatingWebhookConfiguration",
    metadata: { name: "hansa-sidecars" },
  },
  {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name: "hansa-policies" },
  },
];

/** So are ConfigMaps of this name, in namespaces with sidecars or gateways (services/agent/src/webhook/roots.ts). */
export const ROOTS = "hansa-roots";

export const joinSecret = (token: string): Manifest => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: JOIN_SECRET, namespace: NAMESPACE, labels: { "app.kubernetes.io/part-of": "hansa" } },
  stringData: { token },
});
