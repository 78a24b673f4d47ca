import { describe, expect, it } from "vitest";
import { verdictOf } from "./token-review.ts";

const user = (more: object = {}, username = "system:serviceaccount:shop:pay"): object => ({
  username,
  extra: more,
});
const status = (more: object = {}): object => ({
  status: { authenticated: true, audiences: ["hansa"], user: user(), ...more },
});
const bound = {
  "authentication.kubernetes.io/pod-name": ["pay-1"],
  "authentication.kubernetes.io/pod-uid": ["u-1"],
};

describe("a TokenReview's answer", () => {
  it("names service account and pod", () => {
    expect(verdictOf(status({ user: user(bound) }), ["hansa"])).toEqual({
      authenticated: true,
      namespace: "shop",
      serviceAccount: "pay",
      podName: "pay-1",
      podUid: "u-1",
    });
  });

  it("names no pod where the token is bound to none", () => {
    expect(verdictOf(status(), ["hansa"])).toMatchObject({
      authenticated: true,
      podName: undefined,
      podUid: undefined,
    });
  });

  it.each([
    ["refused", { authenticated: false, error: "expired" }, "expired"],
    ["that says nothing", { authenticated: undefined }, "not authenticated"],
    ["of an authenticator without audiences", { audiences: undefined }, "accepted for no audience"],
    ["for another audience", { audiences: ["other"] }, "accepted for other, not for hansa"],
    ["of a user", { user: user({}, "admin") }, "no service account"],
    ["of nobody", { user: undefined }, "no service account"],
    [
      "of a name with more in it",
      { user: user({}, "system:serviceaccount:shop:pay:x") },
      "no service account",
    ],
    ["of half a pod", { user: user({ "authentication.kubernetes.io/pod-name": ["pay-1"] }) }, "by halves"],
    [
      "of two pods",
      { user: user({ ...bound, "authentication.kubernetes.io/pod-name": ["pay-1", "pay-2"] }) },
      "by halves",
    ],
  ])("%s is a refusal", (_what, more, reason) => {
    expect(verdictOf(status(more), ["hansa"])).toEqual({
      authenticated: false,
      reason: expect.stringContaining(reason),
    });
  });

  it.each([null, {}, { status: null }])("%j is no answer", (body) => {
    expect(verdictOf(body, ["hansa"])).toMatchObject({
      authenticated: undefined,
      problem: { kind: "unreadable" },
    });
  });
});
