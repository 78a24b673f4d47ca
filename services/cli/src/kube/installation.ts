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

export function agentObjects(base: readonly Manifest[], settings: Settings): Manifest[] {
  const config = base.find(({ kind }) => kind === "ConfigMap");
  assert(config !== undefined, "deploy/kube/agent.yaml has no ConfigMap");
  const data = configData(config, settings);
  const hash = createHash("sha256").update(JSON.stringify(data)).digest("hex").slice(0, 16);
  return base.map((manifest) => labelled(adapted(manifest, settings, data, hash)));
}

function adapted(
  manifest: Manifest,
  settings: Settings,
  data: Readonly<Record<string, string>>,
  hash: string,
): Manifest {
  if (manifest.kind === "ConfigMap") return { ...manifest, data };
  if (manifest.kind === "StatefulSet") return statefulSet(manifest, settings, hash);
  if (manifest.kind === "Service" && manifest.metadata.name === GATEWAY_SERVICE)
    return gatewayService(manifest, settings);
  return manifest;
}

function configData(config: Manifest, settings: Settings): Readonly<Record<string, string>> {
  const data = config.data as Readonly<Record<string, string>>;
  const agent = object(parse(data["agent.yaml"] ?? ""));
  const gateway = object(agent.gateway);
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
        ...(settings.gatewayMode ? { gatewayMode: {} } : {}),
      },
    },
    gateway: { ...gateway, address: settings.address, port: settings.port },
  };
  const bootstrap = object(JSON.parse(data["gateway.json"] ?? "{}"));
  const node = {
    ...object(bootstrap.node),
    cluster: settings.cluster,
    locality: { region: settings.region, zone: settings.zones[0] },
  };
  return {
    ...data,
    "agent.yaml": stringify(changed, { aliasDuplicateObjects: false }),
    "gateway.json": JSON.stringify({ ...bootstrap, node }, null, 2),
  };
}

type Fields = Record<string, unknown>;

function statefulSet(manifest: Manifest, settings: Settings, hash: string): Manifest {
  const { volumeClaimTemplates, persistentVolumeClaimRetentionPolicy, ...spec } = object(manifest.spec);
  const template = object(spec.template);
  const metadata = object(template.metadata);
  const pod = object(template.spec);
  const containers = (pod.containers as Fields[]).map((container) => containerOf(container, settings));
  const volumes = pod.volumes as Fields[];
  const claims = (volumeClaimTemplates as Fields[]).map((claim) => ({
    ...claim,
    spec: {
      ...object(claim.spec),
      ...(settings.storageClass === "" ? {} : { storageClassName: settings.storageClass }),
    },
  }));
  return {
    ...manifest,
    spec: {
      ...spec,
      ...(settings.ephemeral ? {} : { persistentVolumeClaimRetentionPolicy, volumeClaimTemplates: claims }),
      template: {
        metadata: {
          ...metadata,
          labels: ownLabels(metadata.labels as Record<string, string>),
          annotations: { ...object(metadata.annotations), "hansa.dev/config": hash },
        },
        spec: {
          ...pod,
          containers,
          volumes: settings.ephemeral ? [...volumes, { name: "data", emptyDir: {} }] : volumes,
        },
      },
    },
  };
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

/** The agent makes it itself. Without its agent it would keep pods from being made. */
export const WEBHOOK: Manifest = {
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "MutatingWebhookConfiguration",
  metadata: { name: "hansa-sidecars" },
};

export const joinSecret = (token: string): Manifest => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: JOIN_SECRET, namespace: NAMESPACE, labels: { "app.kubernetes.io/part-of": "hansa" } },
  stringData: { token },
});
