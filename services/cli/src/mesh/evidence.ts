/** An item of `hansa get links` as evidence about a cluster. Pure. */
import { number, text } from "../shell/api.ts";
import type { Evidence } from "./cluster-state.ts";

export const evidenceItem = (item: Readonly<Record<string, unknown>>): Evidence => ({
  from: text(item.from),
  to: text(item.to),
  state: text(item.state),
  lease: text(item.lease),
  probe: text(item.probe),
  stage: text(item.stage),
  rttMs: number(item.rttMs),
  sinceMs: number(item.sinceMs),
  selfDoubt: item.selfDoubt === true,
});
