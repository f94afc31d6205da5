import type { Grant } from '../../domain/session.ts';
import type { Call } from '../environment.ts';
import type { Fault } from '../respond.ts';
import type { Row } from './row.ts';

export type OnFault = (c: Call, fault: Fault) => Response | Promise<Response>;

/** A row of the contract with its handler. */
export interface Endpoint {
  row: Row;
  answer: (c: Call, family: Family) => Promise<Response>;
}

/** How `curfew prove` tries a family, as one of its clients: over HTTP alone. */
export interface Trial {
  /** As its report calls the family. */
  name: string;
  via: 'bearer' | 'cookie';
  /** Whether a logout ends the other sessions of the user too. */
  endsAll: boolean;
  logIn(user: { email: string; password: string }): { path: string; body: object };
  /** The credential in the JSON that answers the login; a cookie is taken from its header. */
  credential(answer: unknown): { text?: string; csrf?: string };
  /** `bare`: it names the session, and brings no credential along. */
  logOut(answer: unknown): { path: string; body?: object; bare?: true };
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
  /** The tag of its rows in the description, where no other has it. */
  tag?: string;
  /** How it says that something went wrong. */
  onFault: OnFault;
  trial: Trial;
}
