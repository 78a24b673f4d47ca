/** Generated resources by type URL, as layers take them. */
import { type Resources, TYPE_URL } from "@hansa/xds";

export type ResourceSet = ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>;

export const resourceSet = (resources: Resources): ResourceSet =>
  new Map<string, ReadonlyMap<string, Uint8Array>>([
    [TYPE_URL.cluster, resources.clusters],
    [TYPE_URL.endpoint, resources.endpoints],
    [TYPE_URL.listener, resources.listeners],
    [TYPE_URL.route, resources.routes],
    [TYPE_URL.secret, resources.secrets],
    [TYPE_URL.extensionConfig, resources.extensionConfigs],
  ]);
