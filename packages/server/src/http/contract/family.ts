import type { Grant } from '../../actions/issue-tokens.ts';
import type { Call } from '../environment.ts';
import type { Fault } from '../respond.ts';
import type { Row } from './row.ts';

export type OnFault = (c: Call, fault: Fault) => Response | Promise<Response>;

/** A row of the contract with its handler. */
export interface Endpoint {
  row: Row;
  answer: (c: Call, family: Family) => Promise<Response>;
}

/** One API with a manner of its own. `http/families.ts` lists all of them. */
export interface Family {
  /** As the log and the sessions that were opened through it call it. */
  name: string;
  /** The credentials that a login through it gives. */
  grant: Grant;
  /** The client that such a session is of, where the login names none. */
  client: string;
  endpoints: readonly Endpoint[];
  /** How it says that something went wrong. */
  onFault: OnFault;
}
