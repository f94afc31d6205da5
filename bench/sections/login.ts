import type { Bench } from '../bench.ts';
import type { WireRequest } from '../load/wire.ts';
import { toWire } from '../load/wire.ts';
import { withRatios, type Section } from '../figure.ts';
import { measureInRounds, type Entry } from '../rounds.ts';
import { describeErrors } from './error-text.ts';
import { logoutEntry } from './single-use.ts';

/** Few, because a login mostly computes its password hash, and the server refuses the logins of a long queue. */
const CONNECTIONS = 4;

/** (d) Login with a password. */
export async function measureLogins(bench: Bench): Promise<Section> {
  const { http, update, hash } = bench.floors;
  const load = { connections: CONNECTIONS, seconds: Math.min(1, bench.options.singleUseSeconds) };
  const entries = [
    logoutEntry(bench, http, load),
    logoutEntry(bench, update, load),
    loginEntry(bench, hash, [{ method: 'POST', path: '/' }]),
  ];
  const { curfew } = bench;
  if (curfew !== undefined) {
    const ours = { id: 'curfew-login', label: 'Curfew, login', kind: 'curfew' as const, port: curfew.port };
    entries.push(loginEntry(bench, ours, curfew.loginRequests()));
  }
  return withRatios({
    id: 'login',
    title: 'Login with a password',
    method: `The Node generator, ${CONNECTIONS} connections, the users in turn.`,
    columns: [
      { value: 'perSecond', title: 'per s', digits: 0 },
      { value: 'p50', title: 'p50 ms', digits: 2 },
      { value: 'p99', title: 'p99 ms', digits: 2 },
    ],
    ratios: [
      { title: '÷ node:http', value: 'perSecond', to: 'floor-http' },
      { title: '÷ one UPDATE', value: 'perSecond', to: 'floor-update' },
      { title: '÷ one argon2id', value: 'perSecond', to: 'floor-hash' },
    ],
    figures: await measureInRounds(bench, entries),
  });
}

interface LoginTarget {
  id: string;
  label: string;
  kind: Entry['kind'];
  port: number;
}

/** Logins with a password, the users in turn. */
export function loginEntry(bench: Bench, target: LoginTarget, logins: WireRequest[]): Entry {
  const { port } = target;
  const requests = logins.map((login) => toWire(login, port));
  const plan = { port, connections: CONNECTIONS, requests, repeat: true };
  return {
    id: target.id,
    label: target.label,
    kind: target.kind,
    measure: async (timed, round) => {
      if (round === 0) await bench.generator.closedLoop({ ...plan, seconds: 0.5 });
      const { perSecond, p50, p99, errors } = await timed(() =>
        bench.generator.closedLoop({ ...plan, seconds: bench.options.loginSeconds }),
      );
      return { values: { perSecond, p50, p99 }, problems: describeErrors(errors) };
    },
  };
}
