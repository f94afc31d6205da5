import type { WireRequest } from '../load/wire.ts';

/** One session as its client holds it: how it asks "am I alive?" and how it says "log me out". */
export interface Credential {
  check: WireRequest;
  logout: WireRequest;
}
