import type { Federation } from "@hansa/model";

/** What one fold holds and another does not, for whoever reads a failure. */
export function difference(one: Federation, other: Federation): string {
  const lines = (fed: Federation): Set<string> => {
    const names = ["hub", ...fed.members().map(({ cluster }) => cluster)];
    return new Set(
      names.flatMap((name) => {
        const degraded = fed.sourceByCluster(name)?.degraded ? [`${name} degraded`] : [];
        const registers = [...fed.registers(name)].map(
          ({ key, value }) => `${name} ${key} ${JSON.stringify(value).slice(0, 80)}`,
        );
        const heads = fed
          .sourceByCluster(name)
          ?.heads.map((head) => `${name} ${head.lane} head ${head.epoch}.${head.seq}`);
        return [...degraded, ...(heads ?? []), ...registers];
      }),
    );
  };
  const [mine, theirs] = [lines(one), lines(other)];
  const only = (a: Set<string>, b: Set<string>): string[] =>
    [...a].filter((line) => !b.has(line)).slice(0, 4);
  return `only here ${JSON.stringify(only(mine, theirs))}, only there ${JSON.stringify(only(theirs, mine))}`;
}
