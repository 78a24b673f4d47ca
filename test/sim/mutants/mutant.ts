/** What a mutant is: one defence taken out of the source text, and the promise that no longer holds without it. */

export interface Edit {
  /** From the root of the repository. */
  readonly file: string;
  /** Occurs exactly once in the file; else the mutant has rotted. */
  readonly from: string;
  readonly to: string;
}

export interface Mutant extends Edit {
  readonly name: string;
  /** What the simulator sees broken. */
  readonly promise: string;
  /** It is caught by one of so many seeds, from 1. */
  readonly seedsMax: number;
  /** Where two defences back each other, both have to go. */
  readonly also?: readonly Edit[];
}

export const editsOf = (mutant: Mutant): readonly Edit[] => [mutant, ...(mutant.also ?? [])];
