/* The families, for `curfew prove`: a command knows nothing else of http/. */
export { FAMILIES } from './http/families.ts';
export type { Family, Trial } from './http/contract/family.ts';
