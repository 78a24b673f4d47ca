/** Who loses what when a cluster goes: services that nobody else exports. Told before, never asked. */
import { LISTINGS } from "../mesh/listings.ts";
import { askList, isSilent, text } from "../shell/api.ts";
import type { Context } from "../shell/context.ts";
import { say } from "../shell/output.ts";

type Item = Readonly<Record<string, unknown>>;

export function lostWithout(cluster: string, services: readonly Item[]): string[] {
  const exported = services.filter((item) => item.exported === true);
  const own = exported.filter((item) => item.cluster === cluster).map(({ service }) => text(service));
  return own
    .filter((service) => !exported.some((item) => item.cluster !== cluster && item.service === service))
    .sort();
}

export async function tellLosses(context: Context, cluster: string): Promise<void> {
  try {
    const { items } = await askList(context, { path: "/v1/services" });
    const lost = lostWithout(cluster, items.map(LISTINGS.services.item));
    if (lost.length > 0) say(`warning: only ${cluster} exports ${lost.join(", ")}: other clusters lose it`);
  } catch (error) {
    if (!isSilent(error)) throw error;
  }
}
