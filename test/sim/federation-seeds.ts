/** Seeds of the federation under turbulence: a tenth in `npm test`, all in the soak, and those that ever failed always. */
import { afterAll, describe, expect, it } from "vitest";
import { FIRST_SEED, share, tell } from "../support/tier.ts";
import { runFederation } from "./federation-run.ts";

const SEEDS = 2000;

/**
 * Seeds that found something, with what it was. What happens under a seed changes with the faults there are; that each
 * remedy is still needed is shown by the mutant that takes it out.
 */
const ONCE_FAILED: readonly (readonly [seed: number, found: string])[] = [
  [6, "a lane where nothing changes stayed empty on a wiped stream"],
  [47, "the same, after another loss"],
  [90, "parked records that a membership released with a hole were never read again"],
  [100, "a writer that was stopped while another wrote and the stream was wiped repeated its epoch"],
  [10, "a writer below what its peers hold wrote on in vain"],
  [158, "an agent without a disk on a wiped stream began again at an epoch that peers remembered"],
  [6, "what an agent had taken over a hole was not served again after its restart"],
  [8, "parked records that were released after the last disk snapshot were not served again after a restart"],
  [40, "links were recovered before the own membership was known, and swept"],
  [
    72,
    "the first record of an epoch was offered again although a rival had written and the stream was wiped",
  ],
  [93, "an agent without a disk on a wiped stream believed the first peer to speak, who knew nothing"],
  [294, "a link that only a rival had written was swept"],
  [24, "an agent was not heard again after its replacement had died"],
  [58, "records that were heard before renewed the lease of the dead"],
  [28, "a restart in the middle of self-doubt took a peer's traffic away"],
  [57, "the journal was trusted although it holds what was refused: a record with a false signature counted"],
  [
    372,
    "a restored archive took for told what the bus had been told otherwise since: a member stayed off the bus",
  ],
  [1145, "two claims of one account were on their way at once, and the older came last"],
  [1273, "a read-only hub said its log again on a wiped stream: members forgot what it did not know"],
  [1290, "a hub that read its fold anew did not follow what had come meanwhile"],
  [1303, "wiped bus, restored archive, nobody awake who had heard: the hub repeated an epoch"],
  [5659, "restored machine, wiped bus, nobody awake who had heard: a member repeated an epoch"],
  [2802, "a replacement came and went while an agent was stopped: the agent was not heard again"],
  [2884, "an agent that heard its replacement and started again under a clock set back was not heard again"],
];

const given = process.env.HANSA_SEED;

/** `part` of two: a file each, so that both cores work. */
export function federationSpec(part: 0 | 1): void {
  const all = Array.from({ length: share(SEEDS) }, (_, index) => FIRST_SEED + index);
  const wanted = given === undefined ? [...ONCE_FAILED.map(([seed]) => seed), ...all] : [Number(given)];
  const seeds = [...new Set(wanted)].filter((seed) => given !== undefined || seed % 2 === part);
  let agreed = 0;

  describe("federation in virtual time", () => {
    it.each(seeds)("agrees after turbulence, and never shows what may not be: seed %i", async (seed) => {
      const { stored } = await runFederation(seed);
      expect(stored).toBeGreaterThan(10);
      agreed += 1;
    });

    afterAll(() =>
      tell({
        promise: "simulated federations keep every invariant and agree after quiet",
        seen: `${agreed} of ${seeds.length} seeds`,
        kept: agreed === seeds.length,
      }),
    );
  });
}
