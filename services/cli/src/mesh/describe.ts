/** `hansa describe service NS/NAME`: who exports it, with which ports, callers, loads and endpoints. */
import { ask, askList, list, number, object, text } from "../shell/api.ts";
import { momentOption } from "../shell/moment.ts";
import { namespaceOption, parseService } from "../shell/names.ts";
import { say, table } from "../shell/output.ts";
import type { Action } from "../shell/program.ts";
import { exportedTo, type Item, LISTINGS, policyInWords } from "./listings.ts";
import { stampOf, stampText } from "./stamp.ts";

export const action: Action = async (shell, [given = ""], options) => {
  const { namespace, name } = parseService(given, namespaceOption(options.namespace));
  const context = shell.context();
  const first = await ask(context, {
    path: `/v1/services/${namespace}/${name}`,
    at: momentOption("--at", options.at),
  });
  // All of one description is of one moment.
  const at = options.at === undefined || first.position === null ? undefined : String(first.position);
  // An agent tells of exporters by cluster and value alone, the hub by whole rows.
  const services = list(first.data.exporters).map((raw) =>
    LISTINGS.services.item({ namespace, name, exported: object(raw.value).export !== null, ...raw }),
  );
  const [endpoints, policies] = await Promise.all([
    askList(context, { path: "/v1/endpoints", query: { namespace, service: name }, at }),
    askList(context, { path: "/v1/policies", query: { namespace }, at }),
  ]);
  const loads = (Array.isArray(first.data.loads) ? list(first.data.loads) : loadsOfViews(first.data)).map(
    loadOf,
  );
  const about = {
    service: `${namespace}/${name}`,
    exporters: services,
    loads,
    endpoints: endpoints.items
      .filter((item) => text(item.namespace) === namespace && text(item.service) === name)
      .map(LISTINGS.endpoints.item),
    policies: policies.items.map(LISTINGS.policies.item).filter((policy) => isAbout(policy, namespace, name)),
    conflicts: list(first.data.conflicts),
  };
  return {
    kind: "Service",
    data: { ...stampOf(first), ...about },
    text: () => serviceText(about, stampText(first)),
  };
};

const loadOf = (raw: Readonly<Record<string, unknown>>): Item => ({
  cluster: text(raw.cluster),
  port: text(raw.port),
  region: text(raw.region),
  zone: text(raw.zone),
  healthy: number(raw.healthy),
  total: number(raw.total),
  desired: number(raw.desired),
  weight: number(raw.weight),
});

/** An agent answers with its view; desired and weight are not part of one. */
const loadsOfViews = ({ ports }: Readonly<Record<string, unknown>>): Record<string, unknown>[] =>
  list(ports).flatMap(({ portKey, localities }) =>
    list(localities).map((one) => ({ ...one, port: portKey })),
  );

/** An allow names its service inside; a failover policy by its own name, or all by `-`. */
export function isAbout(policy: Item, namespace: string, name: string): boolean {
  const [ns = "", own = ""] = text(policy.policy).split("/");
  if (policy.kind === "allow") return ns === namespace && text(object(policy.value).service) === name;
  return (ns === namespace && own === name) || (ns === "-" && own === "-");
}

interface About {
  readonly service: string;
  readonly exporters: readonly Item[];
  readonly loads: readonly Item[];
  readonly endpoints: readonly Item[];
  readonly policies: readonly Item[];
  readonly conflicts: readonly Item[];
}

function serviceText(about: About, stamp: string): string {
  const sections: [string, string][] = [];
  const add = (heading: string, rows: number, body: () => string) => {
    if (rows > 0) sections.push([heading, body().trimEnd()]);
  };
  add("clusters", about.exporters.length, () =>
    table(
      ["CLUSTER", "TYPE", "PORTS", "EXPORTED", "SERVICE ACCOUNTS"],
      about.exporters.map((item) => {
        const [cluster, , ports, , accounts] = LISTINGS.services.row(item);
        return [cluster ?? "", text(item.type), ports ?? "", exportedTo(item), accounts ?? ""];
      }),
    ),
  );
  add("load", about.loads.length, () =>
    table(
      ["CLUSTER", "PORT", "REGION", "ZONE", "HEALTHY", "DESIRED", "WEIGHT"],
      about.loads.map((one) => [
        text(one.cluster),
        text(one.port),
        text(one.region),
        text(one.zone),
        `${text(one.healthy)}/${text(one.total)}`,
        number(one.desired),
        number(one.weight),
      ]),
    ),
  );
  add("endpoints", about.endpoints.length, () =>
    table(
      LISTINGS.endpoints.headings,
      about.endpoints.map((item) => LISTINGS.endpoints.row(item)),
    ),
  );
  add("policies", about.policies.length, () =>
    table(
      ["CLUSTER", "KIND", "POLICY", "SAYS"],
      about.policies.map((one) => [
        text(one.cluster),
        text(one.kind),
        text(one.policy),
        policyInWords(text(one.kind), object(one.value)),
      ]),
    ),
  );
  add("conflicts HSA4005", about.conflicts.length, () =>
    about.conflicts.map(({ message }) => text(message)).join("\n"),
  );
  if (about.exporters.every(({ exported }) => exported !== true))
    say("note: no cluster exports it, so only callers of its own cluster reach it");
  return [`${about.service}, ${stamp}`, ...sections.map(([heading, body]) => `${heading}\n${body}`)].join(
    "\n\n",
  );
}
