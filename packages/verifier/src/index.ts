export { createVerifier } from './feed-verifier.ts';
export type { Verifier, VerifierEvents } from './verifier.ts';
export type { VerifierFreshness } from './metrics.ts';
export type { EndedWhy } from './ended-watch.ts';
export type { CheckOptions, Log, OnStale, VerifierOptions } from './options.ts';
export type { Accepted, Reason, Refused, VerifiedSession, Verified } from './verified.ts';
