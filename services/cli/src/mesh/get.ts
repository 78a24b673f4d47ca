/** `hansa get WHAT`: what the federation holds, now or at a past moment. */
import { HansaError } from "@hansa/core";
import { askList } from "../shell/api.ts";
import { momentOption } from "../shell/moment.ts";
import { clusterOption, namespaceOption } from "../shell/names.ts";
import { say, table } from "../shell/output.ts";
import type { Action } from "../shell/program.ts";
import { LISTING_NAMES, LISTINGS, type Listing } from "./listings.ts";
import { stampOf } from "./stamp.ts";

export const action: Action = async (shell, [what = ""], options) => {
  const name = LISTING_NAMES.find(
    (one) => one === what || one === `${what}s` || one.replace(/ies$/, "y") === what,
  );
  if (!name) throw new HansaError("HSA1001", `get ${what}: must be one of ${LISTING_NAMES.join(", ")}`);
  const listing: Listing = LISTINGS[name];
  const at = momentOption("--at", options.at);
  const namespace = namespaceOption(options.namespace);
  if (namespace !== undefined && !listing.namespaced)
    throw new HansaError("HSA1001", `-n ${namespace}: ${name} have no namespace`);
  const cluster = clusterOption(options.cluster);
  const filter = { namespace, [name === "clusters" ? "name" : "cluster"]: cluster };
  const answer = await askList(shell.context(), { path: listing.path, query: filter, at });
  const items = answer.items.filter((raw) => matches(raw, filter)).map(listing.item);
  return {
    kind: listing.kind,
    data: { ...stampOf(answer), items },
    text: () => {
      if (items.length === 0) say(`no ${name}`);
      const nowMs =
        answer.committedAt !== null && at !== undefined ? Date.parse(answer.committedAt) : Date.now();
      return table(
        listing.headings,
        items.map((item) => listing.row(item, nowMs)),
      );
    },
  };
};

/** Agents know fewer filters than the hub. */
const matches = (
  raw: Readonly<Record<string, unknown>>,
  filter: Readonly<Record<string, string | undefined>>,
) => Object.entries(filter).every(([field, value]) => value === undefined || raw[field] === value);
