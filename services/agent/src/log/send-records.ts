/** Late records' way to the hub: its API, over HTTPS. */
import { callApi } from "@hansa/identity";
import type { LateRecord } from "./late-records.ts";

const TIMEOUT_MS = 30_000;

/** Throws a coded error unless the hub has archived them all. */
export async function sendRecords(
  hub: Parameters<typeof callApi>[0],
  records: readonly LateRecord[],
): Promise<void> {
  await callApi(hub, { method: "POST", path: "/v1/records", body: { records }, timeoutMs: TIMEOUT_MS });
}
