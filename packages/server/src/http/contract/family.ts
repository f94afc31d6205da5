import type { LoginInput } from '../../actions/log-in.ts';
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

/** How `curfew prove` logs in and out through the family, as one of its clients does. */
export interface Trial {
  /** The family's name in the report. */
  name: string;
  via: 'bearer' | 'cookie';
  /** Whether a logout ends the other sessions of the user too. */
  endsAll: boolean;
  logIn(user: { email: string; password: string }): { path: string; body: object };
  /** The credential in the JSON that answers the login; a cookie is taken from its header. */
  credential(answer: unknown): { text?: string; csrf?: string };
  /** `bare`: it names the session, and sends no credential. */
  logOut(answer: unknown): { path: string; body?: object; bare?: true };
}

/** One API: its endpoints, and how it answers faults. `http/families.ts` lists all of them. */
export interface Family {
  /** The name that the log and its sessions store. */
  name: string;
  /** The credentials that a login through it gives. */
  grant: Grant;
  /** The client of a session whose login names none. */
  client: string;
  endpoints: readonly Endpoint[];
  /** The tag of its rows in the description. */
  tag?: string;
  /** Renders a fault in the family's own format. */
  onFault: OnFault;
  trial: Trial;
}

/** The terms of a login through a family whose clients name neither application nor device. */
export const loginTerms = ({ name, grant, client }: Family): Omit<LoginInput, 'email' | 'password'> => ({
  contract: name,
  grant,
  clientId: client,
  device: {},
});
