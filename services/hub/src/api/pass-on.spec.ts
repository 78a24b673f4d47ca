import { describe, expect, test } from "vitest";
import { headersThere, MARK, type Way, wayOf } from "./pass-on.ts";

const own = {
  role: "standby",
  marked: false,
  leaderUrl: "https://10.1.2.3:8443",
  ownUrl: "https://10.1.2.4:8443",
} as const;
const shown = (way: Way) => (way.kind === "pass" ? way.url.href : `${way.retry ? "retry: " : ""}${way.why}`);

describe("a hub that stands by", () => {
  test("passes a request on to the hub that leads", () => {
    expect(shown(wayOf(own))).toBe("https://10.1.2.3:8443/");
    expect(shown(wayOf({ ...own, leaderUrl: "https://[fd00::7]:8443" }))).toBe("https://[fd00::7]:8443/");
  });

  test.each([
    ["starts", { ...own, role: "starting" } as const, /^retry: starting/],
    ["was passed the request itself", { ...own, marked: true }, /^retry: .*changing/],
    ["led last", { ...own, leaderUrl: own.ownUrl }, /^retry: .*changing/],
    ["does not know where the leader is", { ...own, leaderUrl: "" }, /^standby; .*api\.ownHost/],
    ["does not know itself either", { ...own, leaderUrl: "", ownUrl: "" }, /^standby; .*api\.ownHost/],
    ["reads no address", { ...own, leaderUrl: "https://fe80::1%eth0:1" }, /^standby; .*api\.ownHost/],
  ])("and %s refuses it", (_what, given, said) => {
    expect(shown(wayOf(given))).toMatch(said);
  });

  test("hands on credential, trace and kind of body, under its own mark", () => {
    const given = {
      authorization: "Bearer x",
      "content-type": "application/json",
      "content-length": "7",
      traceparent: "00-1-2-01",
      cookie: "a=b",
      host: "hub",
      "transfer-encoding": "chunked",
      [MARK]: "forged",
    };
    expect(headersThere(given, "own", '"ä"')).toEqual({
      authorization: "Bearer x",
      "content-type": "application/json",
      traceparent: "00-1-2-01",
      "content-length": 4,
      [MARK]: "own",
    });
    expect(headersThere({}, "own", undefined)).toEqual({ [MARK]: "own" });
  });
});
