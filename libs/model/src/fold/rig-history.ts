/** For specs only: random histories of a federation, played through real writers. */
import { base64 } from "@hansa/core";
import { type BusRecord, endpointKey, serviceKey } from "@hansa/events";
import { rigSigner } from "@hansa/events/rig";
import { admit, command, endpoint, type RigSource, rigCluster, rigHub, service } from "./rig.ts";

export const NAMES = ["eu", "us", "ap"];

export type Step =
  | {
      readonly do: "service" | "unservice" | "endpoint" | "unendpoint";
      readonly who: number;
      readonly n: number;
    }
  | {
      readonly do: "restart" | "snapshot" | "write" | "drain" | "undrain" | "rekey" | "evict";
      readonly who: number;
    };

export interface Run {
  readonly hub: RigSource;
  readonly clusters: readonly RigSource[];
  readonly records: readonly BusRecord[];
}

/** Plays a history through real writers; every source ends with nothing waiting. */
export function play(steps: readonly Step[]): Run {
  const hub = rigHub();
  const clusters = NAMES.map((name, index) => rigCluster(name, 100 + index));
  const records: BusRecord[] = [];
  for (const cluster of clusters) admit(hub, cluster);
  for (const [time, each] of steps.entries()) act(hub, clusters, each, time, records);
  for (const source of [hub, ...clusters]) records.push(...source.write());
  return { hub, clusters, records };
}

function act(
  hub: RigSource,
  clusters: readonly RigSource[],
  each: Step,
  time: number,
  out: BusRecord[],
): void {
  const source = clusters[each.who]!;
  const carrier = clusters[(each.who + 1) % 3]!;
  switch (each.do) {
    case "service":
      service(source, "shop", `s${each.n}`, time);
      break;
    case "unservice":
      source.remove(serviceKey("shop", `s${each.n}`));
      break;
    case "endpoint":
      endpoint(source, "pay", `p${each.n}`, `10.0.0.${time}`);
      break;
    case "unendpoint":
      source.remove(endpointKey("shop", "pay", `p${each.n}`));
      break;
    case "write":
      out.push(...source.write());
      break;
    case "restart":
      out.push(...source.write());
      forget(source, time);
      break;
    case "snapshot":
      source.writer("sum").requestSnapshot();
      break;
    case "rekey": {
      out.push(...source.write());
      const signer = rigSigner(1000 + time);
      const cluster = source.name as never;
      const signingKey = base64(signer.publicKey);
      command(
        carrier,
        { do: "rekey", cluster, incarnation: 1, signingKey },
        `c${time}`,
        undefined,
        100 + time,
      );
      source.restart(signer);
      break;
    }
    default:
      command(
        each.do === "drain" ? hub : carrier,
        { do: each.do, cluster: source.name as never, incarnation: 1 },
        `c${time}`,
        undefined,
        100 + time,
      );
  }
}

/** A new replica that has read the cluster anew: it knows some of the registers and no tombstone. */
function forget(source: RigSource, time: number): void {
  source.restart();
  service(source, "shop", "kept", time);
}
