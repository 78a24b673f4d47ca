/** Query parameters that several routes share. */
import { PAGE_ITEMS_MAX } from "@hansa/store";
import * as z from "zod";

const text = (max: number) => z.string().min(1).max(max);

export const at = {
  at: text(60).optional().describe("RFC 3339 time, duration ago (5m) or archive position"),
};
export const page = {
  limit: z.coerce.number().int().min(1).max(PAGE_ITEMS_MAX).default(100),
  cursor: text(4096).optional(),
};
export const name = text(253);
/** Filters of a list: all optional, all exact. */
export const filters = <Name extends string>(...names: readonly Name[]) =>
  Object.fromEntries(names.map((field) => [field, name.optional()])) as Record<
    Name,
    z.ZodOptional<typeof name>
  >;
