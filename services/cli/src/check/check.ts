/** `hansa check`: gathers once, judges by category, reports. Exit status 79 where anything fails. */
import { CODES } from "@hansa/core";
import { marksFor } from "../shell/marks.ts";
import type { Action } from "../shell/program.ts";
import { type CategoryName, chosenCategories } from "./categories.ts";
import type { Facts } from "./facts.ts";
import { gather } from "./gather.ts";
import { judgeGateways, judgeProxies, judgeServices } from "./judge-data-plane.ts";
import { judgeLog } from "./judge-log.ts";
import { judgeBus, judgeClock, judgeContext, judgeHub } from "./judge-reach.ts";
import { judgeTrust } from "./judge-trust.ts";
import { type Check, reportData, reportText, succeeds } from "./report.ts";

export const JUDGES: Readonly<Record<CategoryName, (facts: Facts) => Check[]>> = {
  context: judgeContext,
  hub: judgeHub,
  bus: judgeBus,
  trust: judgeTrust,
  log: judgeLog,
  gateways: judgeGateways,
  proxies: judgeProxies,
  services: judgeServices,
  clock: judgeClock,
};

export const action: Action = async (shell, _args, options) => {
  const names = chosenCategories(options.category);
  const facts = await gather(shell.context());
  const categories = names.map((name) => ({ name, checks: JUDGES[name](facts) }));
  const mark = marksFor({ isTTY: process.stdout.isTTY === true, env: process.env });
  return {
    kind: "CheckReport",
    data: reportData(categories),
    text: () => reportText(categories, mark),
    status: succeeds(categories) ? 0 : CODES.HSA1010.exit,
  };
};
