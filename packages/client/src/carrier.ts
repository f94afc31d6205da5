import type { Session } from './interface.ts';

/** What a login or a refresh answers, as far as it is looked at. */
export interface Issued {
  session: Omit<Session, 'user'>;
  user: Session['user'];
  csrf_token?: string;
  /** These only where tokens were asked for. */
  access_token: string;
  refresh_token: string;
  expires_in: number;
}

/** An access token's life. */
export interface Tokens {
  access: string;
  /** Empty where only the short-lived one was kept. */
  refresh: string;
  /** When to refresh, by this machine's clock. A clock that is wrong costs a request more, and nothing else. */
  untilMs: number;
  /** Counts the renewals, so that a token has a name that is none of its letters. */
  nth: number;
  session: Session;
}

/** How requests come to carry the credential: by cookie or by tokens. */
export interface Carrier {
  /** The session as far as it is known without asking; undefined when nothing is. */
  known(): Session | null | undefined;
  /** Sends with the credential, renewed when it must be. `asking`: this is the question how the session stands. */
  send(request: Request, to: 'authority' | 'asking' | 'other'): Promise<Response>;
  /** Takes what a login or a question about the session has brought. */
  take(issued: Issued): void;
  /** Forgets the credential of this session (of any, if it is not known which), and hands out what it takes to end it later. */
  giveUp(sid: string | null): { tokens?: Tokens; csrf?: string };
  /** What says who it is when a WebSocket is opened, where headers cannot be sent. */
  readonly subprotocols: () => Promise<string[]>;
}

export const sessionOf = ({ session, user }: Issued): Session => ({ ...session, user });
