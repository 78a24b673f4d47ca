/** The Go programs of test/bench/go: the peer and who loads it. */
import { join } from "node:path";
import { goPrograms as built } from "../../../deploy/tools/go-build.ts";
import { root } from "../../../deploy/tools/paths.mjs";

export interface GoPrograms {
  /** go-control-plane behind the control API. */
  readonly peer: string;
  /** The load generator. */
  readonly load: string;
}

/** A first build takes about a minute. */
export function goPrograms(): GoPrograms {
  const dir = built({
    what: "go-control-plane's server and the load generator",
    module: join(root, "test/bench/go"),
    packages: ["./peer", "./load"],
    sources: ["**/*.go"],
  });
  return { peer: join(dir, "peer"), load: join(dir, "load") };
}
