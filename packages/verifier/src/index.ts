export { createVerifier } from './verifier.ts';
export type { CheckOptions, VerifierFreshness, Verifier, VerifierEvents } from './verifier.ts';
export type { EndedWhy } from './ended-watch.ts';
export type { Log, OnStale, VerifierOptions } from './options.ts';
export type { Accepted, Reason, Refused, VerifiedSession, Verified } from './verified.ts';
