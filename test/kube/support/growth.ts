/** How much the heap of this process has grown, garbage apart. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

export class Growth {
  #fromBytes = 0;

  begin(): void {
    this.#fromBytes = heldBytes();
  }

  mib(): number {
    return (heldBytes() - this.#fromBytes) / 2 ** 20;
  }
}

export function heldBytes(): number {
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}
