import type { CurrentSession } from './interface.ts';

/** The members of a login's or refresh's answer that the client reads. */
export interface Issued {
  session: Omit<CurrentSession, 'user'>;
  user: CurrentSession['user'];
  csrf_token?: string;
  /** Only where tokens were asked for. */
  access_token: string;
  refresh_token: string;
  expires_in: number;
}

/** The life of an access token in seconds. */
export interface Tokens {
  access: string;
  /** Empty where only the access token was kept. */
  refresh: string;
  /** When to refresh, by this machine's clock. A wrong clock costs one more request. */
  untilMs: number;
  /** Counts renewals, to name a token without its text. */
  nth: number;
  session: CurrentSession;
}

/** How requests carry the credential: by cookie or by tokens. */
export interface Carrier {
  /** The session as known without asking; undefined when it is not known. */
  known(): CurrentSession | null | undefined;
  /** Sends with the credential, renewed when needed. `asking`: this request asks for the session itself. */
  send(request: Request, to: 'authority' | 'asking' | 'other'): Promise<Response>;
  /** Takes the answer to a login or to a question about the session. */
  take(issued: Issued): void;
  /** Forgets the credential of this session (of any session, if its id is null), and returns what can end it later. */
  giveUp(sid: string | null): { tokens?: Tokens; csrf?: string };
  /** The subprotocols that identify the session when a WebSocket is opened, where headers cannot be sent. */
  readonly subprotocols: () => Promise<string[]>;
}

export const currentSessionOf = ({ session, user }: Issued): CurrentSession => ({ ...session, user });
