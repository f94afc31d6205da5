/** The commands that a run is made of, as plain values: they shrink well, and a failure can be read. */
import fc from 'fast-check';
import type { Role } from './promised.ts';

/** Names something that exists when the command runs: the nth from the newest, of the live ones or of all. Taken modulo their number. */
export interface Choice {
  nth: number;
  live: boolean;
}

/** The ways to log in: the families, and `/v1` in both of its ways. */
const LOGINS = ['v1', 'v1-cookie', '001', '002', '003', '004'] as const;
export type Login = (typeof LOGINS)[number];

const DEVICES = ['phone', 'laptop', '1:phone'] as const;
const APPS = ['default', 'shop', 'cookie'] as const;

/** A logout by the owner, through `/v1` or the family's own way. */
export type OwnLogout =
  | { via: 'v1'; scope: 'this' | 'others' | 'all' }
  | { via: 'v1'; scope: 'device'; device: string | null }
  | { via: 'v1'; scope: 'selected'; sessions: Choice[] }
  | { via: 'v1'; scope: 'one'; session: Choice }
  | { via: '001+004'; scope: 'this' | 'others' | 'all' | 'nonsense' | null }
  /** `owner` null: the user named is the token's own. */
  | { via: '002'; owner: number | null }
  | { via: '003' };

export type AdminLogout =
  | { scope: 'sessions'; sessions: Choice[] }
  | { scope: 'user'; user: number }
  | { scope: 'users'; users: number[] }
  | { scope: 'device'; user: number; device: string }
  | { scope: 'client'; app: string }
  /** `off`: how far the confirmed count is from the true one; null does not confirm. */
  | { scope: 'everyone'; off: number | null };

/** How a crowd is ended: by an administrator, or by one of its own that is spared. */
const CROWD_SCOPES = ['others', 'user', 'users', 'device', 'client', 'everyone'] as const;
type CrowdScope = (typeof CROWD_SCOPES)[number];

/** The caller as administrator: a service key, or the credential's user. */
export type By = { credential: Choice } | 'service';
export type Changed = number | 'self';

export type Command = {
  /** Which node is asked. */
  at: number;
} & (
  | {
      do: 'log in';
      as: Login;
      user: number;
      app: string;
      device: string | null;
      wrong: boolean;
      earlier: Choice | null;
    }
  | {
      do: 'vouch';
      user: number;
      transport: 'bearer' | 'opaque' | 'cookie';
      app: string;
      device: string | null;
    }
  /** So many sessions that a logout leaves their rows to the background; then a logout by this scope. */
  | { do: 'crowd'; user: number; device: string; scope: CrowdScope }
  | { do: 'refresh'; token: Choice; via: 'v1' | '001' | '003' }
  /** `forged`: without the headers that a change with a cookie needs. */
  | { do: 'log out'; who: Choice; forged: boolean; how: OwnLogout }
  | { do: 'log out as administrator'; by: By; forged: boolean; target: AdminLogout }
  | { do: 'change user'; by: By; forged: boolean; user: Changed; role: Role | null; disabled: boolean | null }
  | { do: 'delete user'; by: By; forged: boolean; user: Changed }
  | { do: 'reset password'; by: By; forged: boolean; user: Changed }
  | { do: 'change password'; who: Choice; forged: boolean; wrong: boolean }
  /** `calm`: goes on when every node trusts its memory again. */
  | { do: 'wait'; seconds: number; calm: boolean }
  /** Shows a credential a second before one of its ends and at that end. */
  | { do: 'edge'; who: Choice; end: 'own' | 'idle' | 'absolute' }
  /** Checks every credential; `dice` chooses where and how. */
  | { do: 'look'; dice: number }
);

export const USERS = 4;

const user = fc.nat(USERS - 1);
/** The caller, if it has a session. */
const self = fc.constant('self' as const);
const changed = fc.oneof({ weight: 3, arbitrary: user }, { weight: 1, arbitrary: self });
const choice: fc.Arbitrary<Choice> = fc.record({
  nth: fc.oneof(fc.nat(3), fc.nat(30)),
  live: fc.integer({ min: 0, max: 4 }).map((n) => n > 0),
});
const rarely = (oneIn: number): fc.Arbitrary<boolean> => fc.nat(oneIn - 1).map((n) => n === oneIn - 1);
const device = fc.option(fc.constantFrom(...DEVICES));
const app = fc.constantFrom(...APPS);
const by: fc.Arbitrary<By> = fc.oneof(
  { weight: 3, arbitrary: fc.constant('service' as const) },
  { weight: 2, arbitrary: choice.map((credential) => ({ credential })) },
);
const forged = rarely(8);
const choices = fc.array(choice, { minLength: 1, maxLength: 4 });

/** Around every limit: the grace, the lives of tokens, the idle and the absolute ends. Shrinks to the shortest. */
const GRACE = [1, 9, 10, 11];
const LIVES = [119, 120, 299, 300, 301, 599, 600, 899, 900, 901, 1199, 1200, 1799, 1800, 2400, 3600, 7200];
const seconds = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...GRACE) },
  { weight: 2, arbitrary: fc.constantFrom(...LIVES) },
);

const scope = <const S extends string>(...scopes: S[]): fc.Arbitrary<{ via: 'v1'; scope: S }> =>
  fc.constantFrom(...scopes).map((one) => ({ via: 'v1' as const, scope: one }));

const ownLogout: fc.Arbitrary<OwnLogout> = fc.oneof(
  { weight: 6, arbitrary: scope('this', 'others', 'all') },
  { weight: 2, arbitrary: fc.record({ via: fc.constant('v1'), scope: fc.constant('device'), device }) },
  {
    weight: 2,
    arbitrary: fc.record({ via: fc.constant('v1'), scope: fc.constant('selected'), sessions: choices }),
  },
  { weight: 2, arbitrary: fc.record({ via: fc.constant('v1'), scope: fc.constant('one'), session: choice }) },
  {
    weight: 4,
    arbitrary: fc.record({
      via: fc.constant('001+004'),
      scope: fc.constantFrom(null, 'this', 'others', 'all', 'nonsense'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ via: fc.constant('002'), owner: fc.oneof(fc.constant(null), user) }),
  },
  { weight: 1, arbitrary: fc.constant({ via: '003' }) },
);

const adminLogout: fc.Arbitrary<AdminLogout> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ scope: fc.constant('sessions'), sessions: choices }) },
  { weight: 2, arbitrary: fc.record({ scope: fc.constant('user'), user }) },
  {
    weight: 2,
    arbitrary: fc.record({
      scope: fc.constant('users'),
      users: fc.array(user, { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ scope: fc.constant('device'), user, device: fc.constantFrom(...DEVICES) }),
  },
  { weight: 2, arbitrary: fc.record({ scope: fc.constant('client'), app }) },
  {
    weight: 1,
    arbitrary: fc.record({
      scope: fc.constant('everyone'),
      off: fc.oneof(fc.constant(0), fc.option(fc.constantFrom(1, -1, 5))),
    }),
  },
);

const at = fc.nat(1);
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 60,
    arbitrary: fc.record({
      at,
      do: fc.constant('log in'),
      as: fc.constantFrom(...LOGINS),
      user,
      app,
      device,
      wrong: rarely(12),
      earlier: fc.option(choice, { freq: 2 }),
    }),
  },
  {
    weight: 50,
    arbitrary: fc.record({
      at,
      do: fc.constant('vouch'),
      user,
      transport: fc.constantFrom('bearer', 'opaque', 'cookie'),
      app,
      device,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      at,
      do: fc.constant('crowd'),
      user,
      device: fc.constantFrom(...DEVICES),
      scope: fc.constantFrom(...CROWD_SCOPES),
    }),
  },
  {
    weight: 80,
    arbitrary: fc.record({
      at,
      do: fc.constant('refresh'),
      token: choice,
      via: fc.constantFrom('v1', '001', '003'),
    }),
  },
  {
    weight: 60,
    arbitrary: fc.record({ at, do: fc.constant('log out'), who: choice, forged, how: ownLogout }),
  },
  {
    weight: 30,
    arbitrary: fc.record({
      at,
      do: fc.constant('log out as administrator'),
      by,
      forged,
      target: adminLogout,
    }),
  },
  {
    weight: 24,
    arbitrary: fc.record({
      at,
      do: fc.constant('change user'),
      by,
      forged,
      user: changed,
      role: fc.constantFrom(null, null, 'user', 'admin'),
      // Enabling is the more frequent, or half of the users would soon be out.
      disabled: fc.constantFrom(null, null, false, false, false, true, true),
    }),
  },
  { weight: 4, arbitrary: fc.record({ at, do: fc.constant('delete user'), by, forged, user: changed }) },
  { weight: 8, arbitrary: fc.record({ at, do: fc.constant('reset password'), by, forged, user: changed }) },
  {
    weight: 14,
    arbitrary: fc.record({ at, do: fc.constant('change password'), who: choice, forged, wrong: rarely(4) }),
  },
  { weight: 40, arbitrary: fc.record({ at, do: fc.constant('wait'), seconds, calm: fc.boolean() }) },
  {
    weight: 24,
    arbitrary: fc.record({
      at,
      do: fc.constant('edge'),
      who: choice,
      end: fc.constantFrom('own', 'own', 'idle', 'absolute'),
    }),
  },
  { weight: 50, arbitrary: fc.record({ at, do: fc.constant('look'), dice: fc.nat() }) },
);

// Without bias, or the first plays would be short ones.
export const commands: fc.Arbitrary<Command[]> = fc.noBias(
  fc.array(command, {
    minLength: 1,
    maxLength: 60,
    size: 'max',
  }),
);

/** The command that does this. */
export type Of<Do extends Command['do']> = Extract<Command, { do: Do }>;
