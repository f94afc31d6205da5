import type { Family, Trial } from '../../trials.ts';
import { Failed } from '../declare.ts';
import { addressAt, type Reply, type Requests } from './requests.ts';

/** A credential from a login through one of the API families. */
export interface Held {
  contract: string;
  /** The text after `Bearer `, or the cookie's value. */
  text: string;
  via: Trial['via'];
  /** The headers of a request that changes something, as a program or as a page of the authority sends them. */
  headers: Record<string, string>;
  /** Whether its logout ends the user's other sessions too. */
  endsAll: boolean;
  /** Logs it out through its own family. */
  logOut: () => Promise<Reply>;
}

export interface ProofUser {
  id: number;
  email: string;
  password: string;
}

/**
 * The families in the order in which one credential of each is logged out: first those that end one session. Those that end all
 * take turns as the first.
 */
export function inTurn(families: readonly Family[], round: number): Family[] {
  const ending = families.filter(({ trial }) => trial.endsAll);
  const first = (round + 1) % Math.max(1, ending.length);
  return [
    ...families.filter(({ trial }) => !trial.endsAll),
    ...ending.slice(first),
    ...ending.slice(0, first),
  ];
}

/** The logins for an ending by scope: the first one asks, as a program in one round and as a page in the next. */
export function forScopes(families: readonly Family[], round: number): Family[] {
  const [program, ...others] = families.filter(({ trial }) => trial.via === 'bearer');
  const other = others[round % Math.max(1, others.length)];
  const page = families.find(({ trial }) => trial.via === 'cookie');
  const order = round % 2 === 0 ? [program, other, page] : [page, program, other];
  return order.filter((family) => family !== undefined);
}

/** Logs the user in through a family. @throws Failed when that is refused */
export async function logInThrough(
  requests: Requests,
  node: string,
  { trial }: Family,
  { email, password }: ProofUser,
  /** The authority's own origin: its pages may send the cookie. */
  origin: string,
): Promise<Held> {
  const post = (path: string, headers: Record<string, string>, body?: object): Promise<Reply> =>
    requests.send(
      'POST',
      addressAt(node, path),
      { ...(body ? { 'content-type': 'application/json' } : {}), ...headers },
      body && JSON.stringify(body),
    );
  const { name: contract, via, endsAll } = trial;
  const { path, body } = trial.logIn({ email, password });
  const reply = await post(path, via === 'cookie' ? { origin } : {}, body);
  if (reply.status !== 200)
    throw new Failed(
      `the login through ${path} was answered with ${reply.status}: ${reply.text.slice(0, 200)}`,
    );
  const answer = JSON.parse(reply.text) as unknown;
  const credential = trial.credential(answer);
  const [cookieName = '', cookie = ''] = sessionCookie(reply);
  const text = via === 'cookie' ? cookie : (credential.text ?? '');
  const headers: Record<string, string> =
    via === 'cookie'
      ? { cookie: `${cookieName}=${text}`, 'x-csrf-token': credential.csrf ?? '', origin }
      : { authorization: `Bearer ${text}` };
  const out = trial.logOut(answer);
  return {
    contract,
    text,
    via,
    headers,
    endsAll,
    logOut: () => post(out.path, out.bare ? {} : headers, out.body),
  };
}

/** Name and value of the one cookie that has a value; the others are deletions. */
export function sessionCookie(reply: Reply): string[] {
  const set = (reply.headers['set-cookie'] ?? []).map((line) => line.split(';')[0] ?? '');
  return set.find((pair) => !pair.endsWith('='))?.split('=') ?? [];
}
