/** Where the benchmark's clusters are: what their tokens grant and their agents ask for. */
import { grantOf } from "../../contract/hub-rig.ts";

export const placeOf = (cluster: string) => ({
  cidrs: [`127.${10 + Number(cluster.slice(1))}.0.0/16`],
  region: "eu-west-1",
  zones: ["a"],
  network: "",
});

/** The largest quotas that a hub grants: far above what one machine writes, so that nobody is suspended. */
export const grantFor = (cluster: string) =>
  grantOf({
    ...placeOf(cluster),
    quotas: {
      services: 10_000,
      endpoints: 100_000,
      identities: 1000,
      bytesPerSecond: 8 * 1024 * 1024,
      recordsPerSecond: 500,
    },
  });
