/** docs/conformance.md from what was run. Pure. */
import type { McsRun, SpecResult } from "./spec.ts";

const HEAD = `# MCS conformance

Written by \`npm run conformance -- mcs --write\`. The 27 specs of the MCS API's conformance suite (KEP-1645) as the project's own
tests, by its titles and labels, on the clusters of \`hansa lab up --kube\`: real API servers, agents and gateways as \`hansa cluster join\`
installs them. Pods have no sidecars, so calls go through the gateways ([gateway mode](gateway-mode.md)). Bounds are the official suite's:
20 s for imports, conditions and names, 60 s for pods and EndpointSlices. Each spec has a control, so that a cluster in which nothing
implements the API cannot pass.

## With an official binary

The suite is the folder \`conformance\` of kubernetes-sigs/mcs-api; \`go test -c -o mcs-conformance .\` builds it there. On the clusters of
the project's own specs, before or after which it runs, with any flags of its own:

\`\`\`sh
npm run conformance -- mcs --clusters 2 --suite ./mcs-conformance
npm run conformance -- mcs --clusters 3 --suite ./mcs-conformance -- --ginkgo.label-filter=Required
\`\`\`

Or by itself on a lab, whose first context exports:

\`\`\`sh
npx hansa lab up --kube --detach
./mcs-conformance -contexts=eu,us,ap -kubeconfig="$KUBECONFIG" # as \`lab up\` says
\`\`\`

## Results
`;

const passed = (results: readonly SpecResult[], label: string): string => {
  const all = results.filter(({ spec }) => spec.labels[0] === label);
  return `${all.filter(({ failure }) => failure === undefined).length}/${all.length}`;
};

export function report(runs: readonly McsRun[]): string {
  const sums = runs.map(({ clusters, results, suite }) => {
    const official =
      suite === undefined ? "not run" : suite.exitCode === 0 ? "passed" : `ended with ${suite.exitCode}`;
    return `| ${clusters} | ${passed(results, "Required")} | ${passed(results, "Optional")} | ${official} |`;
  });
  const rows = (runs[0]?.results ?? []).map(({ spec }) => {
    const cells = runs.map(({ results }) => {
      const found = results.find((result) => result.spec.id === spec.id);
      return found === undefined ? "–" : found.failure === undefined ? "passed" : "**failed**";
    });
    return `| ${spec.id} | ${html(spec.title)} | ${spec.labels.join(", ")} | ${cells.join(" | ")} | ${spec.control} |`;
  });
  const failures = runs.flatMap(({ clusters, results }) =>
    results.flatMap(({ spec, failure }) =>
      failure === undefined
        ? []
        : [`- ${clusters} clusters, spec ${spec.id}: ${failure.message.split("\n")[0]}`],
    ),
  );
  const columns = runs.map(({ clusters }) => `${clusters} clusters`);
  return `${HEAD}
| clusters | Required | Optional | official binary |
|---|---|---|---|
${sums.join("\n")}

| | spec | labels | ${columns.join(" | ")} | control |
|---|---|---|${columns.map(() => "---|").join("")}---|
${rows.join("\n")}
${failures.length === 0 ? "" : `\n## Failures\n${failures.join("\n")}\n`}`;
}

const html = (text: string): string => text.replaceAll("<", "&lt;").replaceAll(">", "&gt;");
