import { Failed } from '../declare.ts';
import type { Reply, Requests } from './requests.ts';

/** A credential that was logged in through one of the API families. */
export interface Held {
  contract: Contract;
  /** The text: after `Bearer `, or the cookie's value. */
  text: string;
  via: 'bearer' | 'cookie';
  /** What a request that changes something brings along: as a program, or as a page of the authority's own. */
  headers: Record<string, string>;
  /** Whether the other sessions of the user are over too when it is logged out. */
  endsAll: boolean;
  /** Logs it out through its own family. */
  logOut: () => Promise<Reply>;
}

export type Contract = 'v1' | '001' | '002' | '003' | '004';
export const CONTRACTS: readonly Contract[] = ['v1', '002', '004', '003', '001'];

export interface User {
  id: number;
  email: string;
  password: string;
}

const JSON_TYPE = { 'content-type': 'application/json' };

/** Logs the user in through a family. @throws Failed when that is refused */
export async function logIn(
  requests: Requests,
  node: string,
  contract: Contract,
  user: User,
  /** The authority's own origin: a page of it may send the cookie. */
  origin: string,
): Promise<Held> {
  const { email, password } = user;
  const post = (path: string, headers: Record<string, string>, body?: object): Promise<Reply> =>
    requests.send(
      'POST',
      new URL(path, node),
      { ...(body ? JSON_TYPE : {}), ...headers },
      body && JSON.stringify(body),
    );
  const login = async (path: string, body: object): Promise<{ json: Answer; reply: Reply }> => {
    const reply = await post(path, contract === '004' ? { origin } : {}, body);
    if (reply.status !== 200)
      throw new Failed(
        `the login through ${path} was answered with ${reply.status}: ${reply.text.slice(0, 200)}`,
      );
    return { json: JSON.parse(reply.text) as Answer, reply };
  };
  const bearer = (text: string): Record<string, string> => ({ authorization: `Bearer ${text}` });
  const held = (text: string, endsAll: boolean, path: string, body?: object): Held => ({
    contract,
    text,
    via: 'bearer',
    headers: bearer(text),
    endsAll,
    logOut: () => post(path, bearer(text), body),
  });

  switch (contract) {
    case 'v1': {
      const { json } = await login('/v1/login', { email, password });
      return held(json.access_token ?? '', false, '/v1/logout', { scope: 'this' });
    }
    case '001': {
      const { json } = await login('/auth/login', { email, password });
      return held(json.data?.access_token ?? '', true, '/auth/logout');
    }
    case '002': {
      const { json } = await login('/api/auth/login', { username: email, password });
      const text = json.data?.sessionToken ?? '';
      const query = new URLSearchParams({ userId: String(json.data?.userId), sessionId: text });
      return {
        contract,
        text,
        via: 'bearer',
        headers: bearer(text),
        endsAll: false,
        logOut: () => post(`/api/auth/logout?${query.toString()}`, {}),
      };
    }
    case '003': {
      const { json } = await login('/api/v1/auth/login', { email, password });
      return held(json.access_token ?? '', true, '/api/v1/auth/logout');
    }
    case '004': {
      const { json, reply } = await login('/auth/login', { email, password, transport: 'cookie' });
      const [name = '', text = ''] = sessionCookie(reply);
      const csrf = json.data?.csrf_token ?? '';
      const headers = { cookie: `${name}=${text}`, 'x-csrf-token': csrf, origin };
      return {
        contract,
        text,
        via: 'cookie',
        headers,
        endsAll: false,
        logOut: () => post('/auth/logout', headers),
      };
    }
  }
}

interface Answer {
  access_token?: string;
  data?: { access_token?: string; sessionToken?: string; userId?: number; csrf_token?: string };
}

/** Name and value of the one cookie that has a value; the others are deletions. */
function sessionCookie(reply: Reply): string[] {
  const set = (reply.headers['set-cookie'] ?? []).map((line) => line.split(';')[0] ?? '');
  return set.find((pair) => !pair.endsWith('='))?.split('=') ?? [];
}
