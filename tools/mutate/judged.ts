/** Mutants that survived and were looked at. */
export interface Judgement {
  path: string;
  /** The lines as they are, and as the mutant has them, each in one. */
  was: string;
  is: string;
  why: string;
  /** It is a fault, and no test notices: it counts as survived. Otherwise it is as right as the code that it replaces. */
  open?: true;
}

export const JUDGED: readonly Judgement[] = [
  {
    path: 'packages/protocol/src/feed-messages.ts',
    was: "const isNumber = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value);",
    is: 'const isNumber = (value: unknown): boolean => Number.isFinite(value);',
    why: '`Number.isFinite` is false of everything that is no number.',
  },
  {
    path: 'packages/protocol/src/feed-messages.ts',
    was: "if (typeof message !== 'object' || message === null || typeof (message as { t?: unknown }).t !== 'string')",
    is: "if (message === null || typeof (message as { t?: unknown }).t !== 'string')",
    why: 'A text, a number or a boolean has no `t` either.',
  },
  {
    path: 'packages/protocol/src/access-token.ts',
    was: 'for (let i = 0; i < bytes.length; i += 3) {',
    is: 'for (let i = 0; i <= bytes.length; i += 3) {',
    why: 'Signatures of 64 bytes alone come here: `i` is never 64.',
  },
  {
    path: 'packages/protocol/src/ended-ids.ts',
    was: 'const NO_TABLES: readonly undefined[] = Array.from({ length: TABLES }, () => undefined);',
    is: 'const NO_TABLES: readonly undefined[] = Array.from({ length: TABLES }, () => undefined as never);',
    why: 'The same value.',
  },
  {
    path: 'packages/protocol/src/ended-ids.ts',
    was: 'for (let at = filterWords(table.slots); at < words.length; at += WORDS) if (stays(at)) staying++;',
    is: 'for (let at = filterWords(table.slots); at <= words.length; at += WORDS) if (stays(at)) staying++;',
    why: 'One key more is counted at most, and the room is counted generously: the table holds the same.',
  },
  {
    path: 'packages/protocol/src/ended-ids.ts',
    was: 'room = Math.max(SMALLEST, Math.ceil(staying / (FULLEST / GROWTH ** 0.5)));',
    is: 'room = Math.max(SMALLEST, Math.floor(staying / (FULLEST / GROWTH ** 0.5)));',
    why: 'One slot less: the table holds the same, and is moved again before it is too full.',
  },
  {
    path: 'packages/protocol/src/node.ts',
    was: 'if (error || answer === undefined) return done(error, answer);',
    is: 'if (answer === undefined) return done(error, answer);',
    why: 'An answer comes with no error: `Done` gives one of the two.',
  },
  {
    path: 'packages/protocol/src/node.ts',
    was: 'if (error || news === undefined || this.#closed) {',
    is: 'if (news === undefined || this.#closed) {',
    why: 'An answer comes with no error: `Done` gives one of the two.',
  },
  {
    path: 'packages/protocol/src/node.ts',
    was: 'if (ageMs < this.#leaseMs && !this.#retiring)',
    is: 'if (ageMs <= this.#leaseMs && !this.#retiring)',
    why: 'The age of a node is below the lease, or infinite.',
  },
  ...['this.#highest + WINDOW + 1; old <= n', 'this.#highest - WINDOW + 1; old < n'].map((changed) => ({
    path: 'packages/protocol/src/rings.ts',
    was: 'else for (let old = this.#highest - WINDOW + 1; old <= n - WINDOW; old++) this.#heard.delete(old);',
    is: `else for (let old = ${changed} - WINDOW; old++) this.#heard.delete(old);`,
    why: 'Costs memory alone: a number below the window counts as heard, whether it is held or not.',
    open: true as const,
  })),
  {
    path: 'packages/protocol/src/ended-ids.ts',
    was: 'for (let at = filterWords(table.slots); at < words.length; at += WORDS) if (stays(at)) staying++;',
    is: 'for (let at = filterWords(table.slots); at >= words.length; at += WORDS) if (stays(at)) staying++;',
    why: 'Costs time alone: a table that was swept is too small, and holds the same.',
    open: true,
  },
  {
    path: 'packages/server/src/cluster/endings/end-one.ts',
    was: 'if (waiting.length > 0) await new Promise<void>((next) => setImmediate(next));',
    is: 'if (false) await new Promise<void>((next) => setImmediate(next));',
    why: 'Costs time alone: the next statement gathers fewer logouts.',
    open: true,
  },
  {
    path: 'packages/server/src/actions/refresh.ts',
    was: 'if (clientId !== null && (await isOfAnother(world, await find(), clientId, context))) return null;',
    is: 'if (clientId !== null && (await isOfAnother(world, await find(), clientId, context))) return undefined as never;',
    why: 'The callers look whether it is falsy.',
  },
  {
    path: 'packages/server/src/actions/list-sessions.ts',
    was: 'before === null && next === null',
    is: 'false',
    why: 'The same number, counted by the database.',
  },
  {
    path: 'packages/server/src/actions/prove-password.ts',
    was: 'if (account && stored !== null && matchesBefore && !matchesNow) {',
    is: 'if (account && stored !== null && matchesBefore) {',
    why: 'A hash is that of one of the two spellings, never of both.',
  },
  {
    path: 'packages/server/src/actions/find-users.ts',
    was: "if (system.monotonicMs() >= untilMs) throw new SearchStopped('the search took too long');",
    is: "if (system.monotonicMs() >= untilMs) throw new SearchStopped('');",
    why: 'Nobody reads the text: the answer has its own.',
  },
  {
    path: 'packages/server/src/actions/export-events.ts',
    was: "if (!(await mayGoOn())) return controller.error(new Error('the caller was logged out'));",
    is: "if (!(await mayGoOn())) return controller.error(new Error(''));",
    why: 'The stream is broken off: its reader never sees the text.',
  },
  {
    path: 'packages/server/src/cluster/state/system-state.ts',
    was: 'return async () => (kept && system.monotonicMs() - kept.atMs < KEPT_MS ? kept.state : look());',
    is: 'return async () => (kept && system.monotonicMs() - kept.atMs <= KEPT_MS ? kept.state : look());',
    why: 'Half a second, to the microsecond.',
  },
  {
    path: 'packages/server/src/cluster/state/system-state.ts',
    was: 'verifiers: followerList.slice(0, MOST_VERIFIERS).map((one) => ({',
    is: 'verifiers: followerList.map((one) => ({',
    why: 'No test has more than 500 verifiers.',
    open: true,
  },
  {
    path: 'packages/server/src/cluster/follow/watch-marking.ts',
    was: 'left = now;',
    is: '{}',
    why: 'Tests of the command line execute it (`cli/commands.test.ts`), which are in no part.',
    open: true,
  },
  {
    path: 'packages/server/src/cluster/follow/watch-marking.ts',
    was: 'while (left > 0 && (marking || system.monotonicMs() - movedMs < STANDSTILL_MS)) {',
    is: 'while (left > 0 && (marking || system.monotonicMs() + movedMs < STANDSTILL_MS)) {',
    why: 'Tests of the command line execute it (`cli/commands.test.ts`), which are in no part.',
    open: true,
  },
  {
    path: 'packages/server/src/cluster/follow/watch-marking.ts',
    was: 'while (left > 0 && (marking || system.monotonicMs() - movedMs < STANDSTILL_MS)) {',
    is: 'while (left <= 0 && (marking || system.monotonicMs() - movedMs < STANDSTILL_MS)) {',
    why: 'Tests of the command line execute it (`cli/commands.test.ts`), which are in no part.',
    open: true,
  },
  {
    path: 'packages/server/src/store/restored.ts',
    was: "'log_is_ahead',",
    is: "'',",
    why: 'A statement without a name is prepared each time: slower, and the same.',
  },
  {
    path: 'packages/server/src/store/limits.ts',
    was: 'await giveBack.run(on, account, isKnown(attempt) ? familiar : null, now);',
    is: 'await giveBack.run(on, account, true ? familiar : null, now);',
    why: 'No test gives back an attempt from an unknown address.',
    open: true,
  },
  {
    path: 'packages/server/src/store/postgres.ts',
    was: 'renewals.delete(renew);',
    is: '{}',
    why: 'The connection is closed by then: to end it again does nothing. Costs memory alone.',
  },
  {
    path: 'packages/server/src/store/move.ts',
    was: 'if (value !== null)',
    is: 'if (true)',
    why: '`setval` of null does nothing (it is strict).',
  },
  {
    path: 'packages/server/src/store/epoch.ts',
    was: "if (!row) throw new Error('the database returned no epoch');",
    is: "if (!row) throw new Error('');",
    why: 'The statement always answers a row: for the compiler.',
  },
  {
    path: 'packages/server/src/store/refusals.ts',
    was: "const rows = await rowsSince.run(on, since ?? '0', since === null ? 0 : limit);",
    is: "const rows = await rowsSince.run(on, since ?? '0', false ? 0 : limit);",
    why: 'Whoever passes null also passes 0.',
  },
  {
    path: 'packages/server/src/actions/renew-session.ts',
    was: "const ending = opened && (await revokeSessions(on, [sid], userId, act, 'renewed'));",
    is: "const ending = (await revokeSessions(on, [sid], userId, act, 'renewed'));",
    why: 'Without a new session it throws all the same, and the transaction is rolled back.',
  },
];
