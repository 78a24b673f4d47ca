/** Every package that the workspaces depend on can be imported under the Node that runs them. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { isDeepStrictEqual, promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { root } from "../deploy/tools/paths.mjs";

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

interface Locked extends Omit<Manifest, "name"> {
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
}

const folders = ["libs", "services"].flatMap((dir) =>
  readdirSync(join(root, dir)).map((name) => join(root, dir, name)),
);
const packages = [root, ...folders].map((folder) => ({ folder, manifest: manifestOf(folder) }));
const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
  readonly packages: Readonly<Record<string, Locked>>;
};

describe("dependencies", () => {
  it("are tried under Node 24 or newer", () => {
    expect(Number(process.versions.node.split(".")[0])).toBeGreaterThanOrEqual(24);
  });

  it.each(packages.map(({ folder, manifest }) => [manifest.name, folder, manifest] as const))(
    "of %s can be imported",
    async (_name, folder, { dependencies = {} }) => {
      const code = Object.keys(dependencies).map((name) => `await import(${JSON.stringify(name)});`);
      const node = promisify(execFile)(process.execPath, ["--input-type=module", "-e", code.join("\n")], {
        cwd: folder,
      });
      await expect(node).resolves.toMatchObject({ stderr: "" });
    },
    60_000,
  );

  it.each(packages.slice(1).map(({ folder, manifest }) => [manifest.name, folder, manifest] as const))(
    "of %s are all that its code imports, without the help of development's",
    (name, folder, { dependencies = {} }) => {
      const undeclared = sourcesOf(folder).flatMap((file) =>
        importsOf(file)
          .filter((imported) => imported !== name && !(imported in dependencies))
          .map((imported) => `${relative(root, file)}: ${imported}`),
      );
      expect(undeclared).toEqual([]);
    },
  );

  it("are pinned to one exact version", () => {
    const ranges = packages.flatMap(({ manifest }) =>
      Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
        .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
        .map(([name, version]) => `${manifest.name}: ${name}@${version}`),
    );
    expect(ranges).toEqual([]);
  });

  it("are locked as the packages ask for them", () => {
    const differing = packages.filter(({ folder, manifest }) => {
      const { dependencies, devDependencies, optionalDependencies } =
        lock.packages[relative(root, folder)] ?? {};
      const asked = [manifest.dependencies, manifest.devDependencies, manifest.optionalDependencies];
      return !isDeepStrictEqual([dependencies, devDependencies, optionalDependencies], asked);
    });
    expect(differing.map(({ manifest }) => manifest.name)).toEqual([]);
  });

  it("are locked by content and without the host they came from", () => {
    const entries = Object.entries(lock.packages).filter(([path]) => path.includes("node_modules/"));
    expect(entries.length).toBeGreaterThan(100);
    expect(entries.filter(([, { link, integrity }]) => link !== true && integrity === undefined)).toEqual([]);
    expect(entries.filter(([, { resolved = "" }]) => resolved.includes("://"))).toEqual([]);
  });
});

/** Code that runs in production: no specs and what only they use. */
function sourcesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter(
      (file) => /\.(ts|js)$/.test(file) && !/node_modules|\.d\.ts$|\.spec\.ts$|fixture|\brig/.test(file),
    )
    .map((file) => join(folder, file));
}

/** Names of the packages that a file imports, types apart. */
function importsOf(file: string): string[] {
  const code = readFileSync(file, "utf8");
  const statement = /^(?:import|export) (?!type )(?:[\w\s{},*$]*? from )?"([^"]+)";/gm;
  const specifiers = [...code.matchAll(statement)].map(([, name]) => name!);
  return specifiers
    .filter((name) => !/^(\.|node:)/.test(name))
    .map((name) => name.split("/", name.startsWith("@") ? 2 : 1).join("/"));
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
}
