/** `hansa check`: gathers once, judges by category, reports. Exit status 79 where anything fails. */
import { CODES } from "@hansa/core";
import type { KubeDoor } from "../kube/door.ts";
import type { Context } from "../shell/context.ts";
import { marksFor } from "../shell/marks.ts";
import type { Action } from "../shell/program.ts";
import { CATEGORY_NAMES, type CategoryName, chosenCategories, KUBE_CATEGORY_NAMES } from "./categories.ts";
import type { Facts } from "./facts.ts";
import { gather } from "./gather.ts";
import { judgeGateways, judgeProxies, judgeServices } from "./judge-data-plane.ts";
import { judgeLog } from "./judge-log.ts";
import { judgeBus, judgeClock, judgeContext, judgeHub, judgePaths } from "./judge-reach.ts";
import { judgeTrust } from "./judge-trust.ts";
import { type Category, type Check, reportData, reportText, succeeds } from "./report.ts";

export const JUDGES: Readonly<Record<CategoryName, (facts: Facts) => Check[]>> = {
  context: judgeContext,
  hub: judgeHub,
  bus: judgeBus,
  trust: judgeTrust,
  log: judgeLog,
  gateways: judgeGateways,
  paths: judgePaths,
  proxies: judgeProxies,
  services: judgeServices,
  clock: judgeClock,
};

export const action: Action = async (shell, _args, options) => {
  chosenCategories(options.category, [...CATEGORY_NAMES, ...KUBE_CATEGORY_NAMES]);
  const context = shell.context();
  const { kubernetes } = context;
  const categories =
    kubernetes === undefined
      ? await ofFederation(context, options.category)
      : await ofKubernetes(kubernetes, options.category);
  const mark = marksFor({ isTTY: process.stdout.isTTY === true, env: process.env });
  return {
    kind: "CheckReport",
    data: reportData(categories),
    text: () => reportText(categories, mark),
    status: succeeds(categories) ? 0 : CODES.HSA1010.exit,
  };
};

async function ofFederation(context: Context, chosen: unknown): Promise<Category[]> {
  const names = chosenCategories(chosen, CATEGORY_NAMES);
  const facts = await gather(context);
  return names.map((name) => ({ name, checks: JUDGES[name](facts) }));
}

async function ofKubernetes(door: KubeDoor, chosen: unknown): Promise<Category[]> {
  const [{ kubeReport }, { kubeFacts }] = await Promise.all([
    import("../kube/check.ts"),
    import("../kube/check-facts.ts"),
  ]);
  const names = chosenCategories(chosen, KUBE_CATEGORY_NAMES);
  return kubeReport(await kubeFacts(door), names);
}
