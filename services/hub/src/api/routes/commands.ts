/** Operator-signed commands and asks for snapshots. */

import type { CommandValue } from "@hansa/events";
import * as z from "zod";
import type { Hub } from "../hub.ts";
import type { Route } from "../route.ts";
import { name } from "./query.ts";

const command = z.strictObject({
  payload: z.string().min(2).max(32_768),
  signatures: z
    .array(z.strictObject({ key: z.string().max(16), sig: z.string().max(88) }))
    .min(1)
    .max(16),
});

export const commandRoutes = (hub: Hub): Route[] => [
  {
    method: "POST",
    path: "/v1/commands",
    kind: "Command",
    summary: "Puts an operator-signed command into the hub's log",
    access: "operator",
    body: command,
    lead: async ({ body, principal }, leader) => {
      const at = await leader.command(principal?.name ?? "", body as CommandValue);
      return { data: { accepted: true, at }, ...(await hub.reader.now()) };
    },
  },
  {
    method: "POST",
    path: "/v1/wants",
    kind: "Want",
    summary: "Asks a source for a snapshot",
    access: "operator",
    body: z.strictObject({ cluster: name }),
    lead: async ({ body, principal }, leader) => {
      const { cluster } = body as { cluster: string };
      const at = await leader.want(principal?.name ?? "", cluster);
      return { data: { cluster, at }, ...(await hub.reader.now()) };
    },
  },
];
