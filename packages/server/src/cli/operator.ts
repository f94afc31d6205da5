import { z } from 'zod';
import type { Role } from '../domain/session.ts';
import type { AdminTarget } from '../actions/end-sessions.ts';
import type { Wait } from '../actions/settle.ts';

/*
 * What the commands work with, written once for both ways: on the database itself, and through a running server. The
 * shapes are those of the HTTP API, so that --json prints the same whichever way was taken.
 */

export const accountSchema = z.object({
  id: z.number(),
  email: z.string(),
  name: z.string(),
  role: z.enum(['user', 'admin']),
  workspace: z.string(),
  created_at: z.string(),
  disabled_at: z.string().nullable(),
});
export type Account = z.infer<typeof accountSchema>;

const viewSchema = z.object({
  id: z.string(),
  user_id: z.number(),
  client_id: z.string(),
  contract: z.string(),
  device: z.object({
    id: z.string(),
    name: z.string(),
    browser: z.string().nullable(),
    system: z.string().nullable(),
  }),
  ip_address: z.string().nullable(),
  created_at: z.string(),
  last_seen_at: z.string(),
  expires_at: z.string(),
  idle_expires_at: z.string(),
});

export const sessionSchema = viewSchema.extend({
  email: z.string(),
  active: z.boolean(),
  ended: z.object({ at: z.string(), by: z.string(), reason: z.string() }).nullable(),
});
export type Session = z.infer<typeof sessionSchema>;

export const endedSchema = z.object({
  ended: z.number(),
  more: z.boolean(),
  confirmed: z.boolean(),
  ms: z.number(),
  acknowledged: z.number(),
  waitedOut: z.number(),
});
export type Ended = z.infer<typeof endedSchema>;

export const previewSchema = z.object({
  dry_run: z.literal(true),
  count: z.number(),
  sample: z.array(viewSchema),
});
type Preview = z.infer<typeof previewSchema>;

export const keySchema = z.object({
  kid: z.string(),
  alg: z.string(),
  created_at: z.string(),
  signs_from: z.string(),
  state: z.string(),
});
export type Key = z.infer<typeof keySchema>;

export const loggedEventSchema = z.object({
  position: z.number(),
  at: z.string(),
  type: z.string(),
  scope: z.string().nullable(),
  reason: z.string().nullable(),
  user_id: z.number().nullable(),
  user_ids: z.array(z.number()).nullable(),
  session_ids: z.array(z.string()).nullable(),
  client_id: z.string().nullable(),
  device_id: z.string().nullable(),
  actor: z.string(),
  contract: z.string().nullable(),
  ip_address: z.string().nullable(),
  details: z.record(z.string(), z.unknown()).nullable(),
  // Not from a server of before.
  count: z.number().nullish(),
  last_at: z.string().nullish(),
});
export type LoggedEvent = z.infer<typeof loggedEventSchema>;

export const LAST_ADMINISTRATOR =
  'this is the last administrator. Nothing was changed; to go ahead, repeat with --last-administrator.';

interface NewAccount {
  email: string;
  name: string;
  role: Role;
  workspace: string;
  password: string | null;
}

interface SessionFilter {
  userId: number | null;
  clientId: string | null;
  before: string | null;
  ended: boolean;
}

export interface Operator {
  users(filter: {
    query: string | null;
    after: number;
    limit: number;
  }): Promise<{ users: Account[]; next: number | null }>;
  userById(id: number): Promise<Account | null>;
  userByEmail(email: string): Promise<Account | null>;
  /** Null when the address is taken. @throws Refused when the password is too short */
  addUser(user: NewAccount): Promise<Account | null>;
  /** @throws Refused when nobody would be left to administer, and that is not confirmed */
  changeUser(
    id: number,
    change: { role: Role } | { disabled: boolean },
    confirmsLast: boolean,
  ): Promise<Account | null>;
  /** @throws Refused as above */
  deleteUser(id: number, confirmsLast: boolean): Promise<boolean>;
  /** False when there is no such user. @throws Refused when the password is too short */
  setPassword(id: number, password: string): Promise<boolean>;
  sessions(filter: SessionFilter, limit: number): Promise<{ sessions: Session[]; next: string | null }>;
  /** Ends sessions; `everyone` only with the count confirmed. */
  end(
    target: AdminTarget,
    how: { confirm: number | null; wait: Wait; note?: string | undefined },
  ): Promise<Ending>;
  /** What `end` would end. Ends nothing. */
  preview(target: AdminTarget): Promise<Preview>;
  /**
   * Watches the rows of what was just ended being marked, where this process does it. False where the server does.
   */
  watchMarking(target: AdminTarget, onLeft: (left: number) => void): Promise<boolean>;
  /** The newest events of the log, newest first. */
  newestEvents(limit: number): Promise<LoggedEvent[]>;
  /**
   * What comes into the log after a cursor, or, without one, from now on. None is left out, however late it is committed; some
   * may come again. Goes on until it is stopped, or the server ends it.
   */
  follow(cursor: string | null, stop: AbortSignal): AsyncIterable<Followed>;
  keys(): Promise<Key[]>;
  rotateKeys(): Promise<Key[]>;
  close(): Promise<void>;
}

/** From where to go on, and the event that it came with. It comes by itself at the beginning and now and then. */
interface Followed {
  cursor: string;
  event: LoggedEvent | null;
}

type Ending = { outcome: 'ended'; result: Ended } | { outcome: 'confirmation_required'; count: number };
