/** Builds the lab's programs before any test's time runs: minutes on a machine that has none of them. */
import { kubeBinaries, nodeEmulatorBinary } from "../../deploy/tools/kube/binaries.ts";

export default function setup(): void {
  kubeBinaries();
  nodeEmulatorBinary();
}
