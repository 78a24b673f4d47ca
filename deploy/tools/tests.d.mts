export interface Count {
  readonly passed: number;
  readonly failed: number;
}
/** The part of vitest's JSON report that is counted. */
export interface VitestReport {
  readonly numTotalTests: number;
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}
export function runTests(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Count>;
export function countTests(
  report: VitestReport | undefined,
  exitCode: number,
  choice?: { readonly byName: boolean },
): Count;
export function printTotal(count: Count): Count;
