/** A federation of Kubernetes clusters for the suite: the lab's, in a folder that goes with it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LabPaths, makePrivate } from "../../../deploy/tools/lab-paths.ts";
import { AddressPlan, claimLab } from "../../../services/lab/src/addresses.ts";
import { KubeLab } from "../../../services/lab/src/kube/kube-lab.ts";
import { parseTopology } from "../../../services/lab/src/topology/parse.ts";

const REGIONS = ["eu-west-1", "us-east-1", "ap-south-1"];
const NAMES = ["eu", "us", "ap"];

export interface Clusters {
  readonly lab: KubeLab;
  readonly names: readonly string[];
  readonly close: () => Promise<void>;
}

export async function startClusters(
  count: number,
  progress: (message: string) => void = () => {},
): Promise<Clusters> {
  const names = NAMES.slice(0, count);
  const topology = parseTopology(
    JSON.stringify({
      federation: "mcs.test",
      clusters: names.map((name, index) => ({ name, region: REGIONS[index], zones: [`${REGIONS[index]}a`] })),
    }),
    "conformance",
  );
  const state = mkdtempSync(join(tmpdir(), "hansa-mcs-"));
  const paths = pathsIn(state);
  for (const folder of [paths.sockets, paths.logs]) makePrivate(folder);
  const { lab: octet, claim } = await claimLab();
  const lab = new KubeLab({ topology, paths, plan: new AddressPlan(octet), progress });
  const close = async (): Promise<void> => {
    await lab.down();
    claim.close();
    if (process.env.HANSA_KEEP === undefined) rmSync(state, { recursive: true, force: true });
  };
  try {
    await lab.up();
  } catch (error) {
    await close();
    throw error;
  }
  return { lab, names, close };
}

const pathsIn = (state: string): LabPaths => ({
  state,
  sockets: join(state, "s"),
  control: join(state, "s/lab.sock"),
  logs: join(state, "logs"),
  topology: join(state, "topology.yaml"),
  credentials: join(state, "credentials.json"),
  supervisorLog: join(state, "lab.log"),
});
