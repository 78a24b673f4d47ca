/** Builds the lab's programs where the tool cache has none: `node test/kube/build.ts`. */
import { kubeBinaries, nodeEmulatorBinary } from "../../deploy/tools/kube/binaries.ts";

kubeBinaries();
nodeEmulatorBinary();
