/** Mutants that survived, and why no test is missing: each is as right as the code that it replaces. */
export interface Judgement {
  path: string;
  was: string;
  is: string;
  why: string;
}

export const EQUIVALENT: readonly Judgement[] = [];
