/**
 * Stolen join tokens and squatted names (T17): what a desk gives away that asks for a known secret and nothing else, and
 * what the fold still refuses behind such a desk. The real desk refuses: test/contract/hub-membership.spec.ts.
 */
import { membershipKey } from "@hansa/events";
import type { Federation } from "@hansa/model";
import { beforeEach, describe, expect, it } from "vitest";
import {
  admit,
  feed,
  type MembershipChange,
  newFederation,
  type RigSource,
  rigCluster,
  rigHub,
  service,
} from "../../libs/model/src/fold/rig.ts";
import { Believer } from "./support/believer.ts";

const SECRET = "meant for eu, once, for ten minutes";

/** Countersigns for whoever shows a secret that was given out once: no expiry, no single use, no name, no proof of keys. */
class LaxDesk {
  readonly hub = rigHub();

  join(secret: string, cluster: RigSource, change: MembershipChange = {}): void {
    if (secret !== SECRET) throw new Error("no such token");
    admit(this.hub, cluster, change).write();
  }
}

let desk: LaxDesk;
const eu = () => rigCluster("eu", 2);
const thief = rigCluster("thief", 66);

beforeEach(() => {
  desk = new LaxDesk();
  desk.join(SECRET, eu());
});

const folded = (...more: RigSource[]): Federation => {
  const fed = newFederation();
  feed(fed, desk.hub.log);
  for (const source of more) feed(fed, source.write());
  return fed;
};

describe("a stolen token", () => {
  it("makes the thief a member with exports of its own, where tokens are used twice and for any name (T17)", () => {
    desk.join(SECRET, thief);
    const fed = folded(service(thief, "shop", "pay"));
    expect(fed.member("thief")?.state).toBe("active");
    expect(fed.effective("thief", "service/shop/pay")).toBeDefined();
  });
});

describe("a name that is taken", () => {
  it("goes to the last who asks, where a name is a row in a table; here it is pinned to its first key (T17)", () => {
    const squatter = rigCluster("eu", 66);
    desk.join(SECRET, squatter, { incarnation: 2 });
    const told = new Believer().read(desk.hub.log).registers.get(membershipKey("eu")) as { request: string };
    expect(told.request).toContain(Buffer.from(squatter.signer.publicKey).toString("base64"));
    const fed = folded();
    expect(fed.member("eu")).toMatchObject({
      signingKey: Buffer.from(eu().signer.publicKey).toString("base64"),
      membership: { incarnation: 1 },
    });
    expect(fed.findings().map(({ code }) => code)).toEqual(["HSA3004"]);
    expect(fed.apply(service(squatter, "shop", "pay").write()[0]!).kind).toBe("parked");
  });
});
