/**
 * The steps of the tour, in order: what is shown, how it is done and what must be true. A step throws where it is not.
 * Everything goes through the CLI, save the forged certificate (forgery.ts), which no honest tool would make.
 */

import { type CliAnswer, hansa } from "./cli.ts";
import { forgedCallIsRefused, realCallIsAnswered } from "./forgery.ts";

export interface Step {
  readonly name: string;
  /** What a person is told. */
  readonly story: string;
  /** The commands that a person would type, as shown. */
  readonly commands: readonly string[];
  /** True where no command shows it: a person is shown the evidence of `run` instead. */
  readonly isShownByEvidence?: boolean;
  /** Does and asserts; answers one line of evidence. */
  readonly run: (memory: Map<string, string>) => Promise<string>;
}

const WEB = "eu/shop/web";

export const STEPS: readonly Step[] = [
  {
    name: "call across clusters",
    story:
      "eu's web calls catalog, which runs in us alone. The server's sidecar saw eu's identity, end to end through us's gateway.",
    commands: [`hansa lab call ${WEB} catalog`],
    run: async () => {
      const answer = await callUntil([WEB, "catalog"], (json) => json.failed === 0);
      const expected = "spiffe://eu.lab.hansa/ns/shop/sa/web";
      must(answer.served["us/catalog"] === 1, "catalog was not served by us", answer);
      must(answer.callers[0] === expected, `the caller was not ${expected}`, answer);
      return `us/catalog answered ${answer.callers[0]}`;
    },
  },
  {
    name: "local first",
    story: "pay runs in all three clusters. While eu's replicas are healthy, eu's calls stay in eu.",
    commands: [`hansa lab call ${WEB} pay -n 50`, `hansa explain route ${WEB} pay`],
    run: async (memory) => {
      const answer = await callUntil([WEB, "pay", "-n", "50"], (json) => json.served["eu/pay"] === 50);
      memory.set("first", new Date().toISOString());
      return `eu/pay answered ${answer.served["eu/pay"]} of 50`;
    },
  },
  {
    name: "local endpoints die",
    story:
      "All eu replicas of pay are killed under load. us, eu's failover target, takes over; with retries no call is lost.",
    commands: [`hansa lab call ${WEB} pay --rate 100 --duration 6`, "hansa lab kill eu/shop/pay"],
    run: () => underLoad("us/pay", () => hansa("lab", "kill", "eu/shop/pay")),
  },
  {
    name: "a remote cluster dies",
    story: "us's gateway and agent are killed too. ap is next.",
    commands: [`hansa lab call ${WEB} pay --rate 100 --duration 6`, "hansa lab kill us/gateway us/agent"],
    run: () => underLoad("ap/pay", () => hansa("lab", "kill", "us/gateway", "us/agent")),
  },
  {
    name: "a change arrives while the hub is dead",
    story:
      "us comes back, the hub is killed, and us's pay is scaled from 2 to 4. Agents hear each other without the hub.",
    commands: [
      "hansa lab start us",
      "hansa lab kill hub",
      "hansa lab scale us/shop/pay 4",
      `hansa lab call ${WEB} pay -n 200`,
    ],
    run: async () => {
      await succeed("lab", "start", "us/agent", "us/gateway");
      await callUntil([WEB, "pay", "-n", "20"], (json) => json.served["us/pay"] === 20, 60_000);
      await succeed("lab", "kill", "hub");
      await succeed("lab", "scale", "us/shop/pay", "4");
      const startMs = performance.now();
      const answer = await callUntil(
        [WEB, "pay", "-n", "400", "-c", "32"],
        (json) => replicasOf(json, "us").length === 4,
      );
      must(answer.failed === 0, "calls failed", answer);
      return `4 replicas of us answered ${Math.round(performance.now() - startMs)} ms after they were ready, hub dead`;
    },
  },
  {
    name: "an unexported service is refused",
    story: "us runs vault and does not export it. Nobody else has a way to it, whatever name they ask for.",
    commands: [`hansa lab call ${WEB} vault`],
    run: async () => {
      const { json, stderr } = await hansa("lab", "call", WEB, "vault", "-n", "3");
      must(json?.failed === 3, "vault answered", json ?? stderr);
      return `3 of 3 refused: ${json.firstFailure.status} ${json.firstFailure.detail}`.trimEnd();
    },
  },
  {
    name: "a forged identity is refused",
    story:
      "A certificate that names eu's web, signed by a CA of our own making, is shown to us's gateway; then the real one.",
    commands: [],
    isShownByEvidence: true,
    run: async () => {
      const refusal = await forgedCallIsRefused();
      await realCallIsAnswered();
      return `forged: ${refusal}; real: answered`;
    },
  },
  {
    name: "why, and why then",
    story:
      "The hub is started again. `explain route` says where eu's calls to pay go and which events made it so; `--at` says it of the time of the first step.",
    commands: [
      "hansa lab start hub",
      `hansa explain route ${WEB} pay`,
      `hansa explain route ${WEB} pay --at TIME`,
    ],
    run: async (memory) => {
      await succeed("lab", "start", "hub");
      const now = await explainUntil([], (json) => firstWithShare(json) === "us");
      const then = await explainUntil(
        ["--at", memory.get("first") ?? ""],
        (json) => firstWithShare(json) === "eu",
      );
      return `now ${firstWithShare(now)}, then ${firstWithShare(then)}`;
    },
  },
];

// biome-ignore lint/suspicious/noExplicitAny: see cli.ts.
type Answer = any;

function must(condition: boolean, message: string, seen: unknown): asserts condition {
  if (!condition) throw new Error(`${message}: ${JSON.stringify(seen).slice(0, 600)}`);
}

async function succeed(...args: string[]): Promise<CliAnswer> {
  const answer = await hansa(...args);
  must(answer.status === 0, `hansa ${args.join(" ")} ended with ${answer.status}`, answer.stderr);
  return answer;
}

/** Calls until the summary satisfies; throws with the last one after `withinMs`. */
async function callUntil(
  args: readonly string[],
  satisfied: (json: Answer) => boolean,
  withinMs = 20_000,
): Promise<Answer> {
  return await until(() => hansa("lab", "call", ...args), satisfied, `lab call ${args.join(" ")}`, withinMs);
}

async function explainUntil(args: readonly string[], satisfied: (json: Answer) => boolean): Promise<Answer> {
  return await until(
    () => hansa("explain", "route", WEB, "pay", ...args),
    satisfied,
    "explain route",
    30_000,
  );
}

async function until(
  ask: () => Promise<CliAnswer>,
  satisfied: (json: Answer) => boolean,
  what: string,
  withinMs: number,
): Promise<Answer> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const { json, stderr } = await ask();
    if (json !== null && satisfied(json)) return json;
    must(performance.now() < deadline, `${what}: not as expected within ${withinMs} ms`, json ?? stderr);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Load runs throughout, the disturbance comes after 2 s: no call may fail, and at the end `heir` must serve alone. */
async function underLoad(heir: string, disturb: () => Promise<CliAnswer>): Promise<string> {
  const load = hansa("lab", "call", WEB, "pay", "--rate", "100", "--duration", "6");
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const disturbed = await disturb();
  must(disturbed.status === 0, "the disturbance failed", disturbed.stderr);
  const { json, stderr } = await load;
  must(json?.failed === 0, "calls were lost", json ?? stderr);
  await callUntil([WEB, "pay", "-n", "50"], (after) => after.served[heir] === 50);
  return `0 of ${json.sent} lost; ${heir} took over`;
}

const replicasOf = (json: Answer, cluster: string): string[] =>
  Object.keys(json.replicas).filter((name) => name.startsWith(`${cluster}/`));

function firstWithShare(json: Answer): string | undefined {
  const localities: { cluster: string; sharePercent: number }[] = json.localities;
  return localities.find(({ sharePercent }) => sharePercent > 0)?.cluster;
}
