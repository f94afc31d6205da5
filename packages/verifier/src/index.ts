export { createVerifier } from './verifier.ts';
export type { CheckOptions, Freshness, Verifier, VerifierEvents } from './verifier.ts';
export type { EndedWhy } from './ended-watch.ts';
export type { Log, OnStale, VerifierOptions } from './options.ts';
export type { Accepted, Reason, Refused, Session, Verified } from './verified.ts';
