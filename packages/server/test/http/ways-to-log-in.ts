/** The ways to a session, as the clients of each family log in and out. */
import { FAMILIES } from '../../src/http/families.ts';
import { type Answer, type Caller, type CallOptions, cookieOf, NEW_PASSWORD } from '../support.ts';

export interface Person {
  id: number;
  email: string;
}
/** A session as its holder has it, and how the holder ends it. */
export interface Held {
  name: string;
  credential: CallOptions;
  /** Of a login through `/v1` that gave tokens. */
  refresh?: string;
  logOut: (at: Caller) => Promise<Answer>;
}
export interface Way {
  name: string;
  open: (at: Caller, person: Person) => Promise<Held>;
}

export const logOutByV1 = (credential: CallOptions) => (at: Caller) => at('POST', '/v1/logout', credential);

/** The logins of the four contracts and of `/v1`, as their clients make them. */
export const BY_CONTRACT: Way[] = FAMILIES.map(({ trial }) => ({
  name: trial.name,
  async open(at, { email }) {
    const { path, body } = trial.logIn({ email, password: NEW_PASSWORD });
    const answer = await at('POST', path, { body });
    const { text, csrf } = trial.credential(answer.json);
    const credential: CallOptions =
      text === undefined
        ? { cookie: cookieOf(answer), ...(csrf !== undefined && { csrf }) }
        : { bearer: text };
    const { path: out, body: sent, bare } = trial.logOut(answer.json);
    return {
      name: trial.name,
      credential,
      ...(trial.name === 'v1' && { refresh: answer.json.refresh_token }),
      logOut: (node) => node('POST', out, { ...(bare ? {} : credential), ...(sent && { body: sent }) }),
    };
  },
}));

export const V1_COOKIE: Way = {
  name: 'v1 cookie',
  async open(at, { email }) {
    const body = { email, password: NEW_PASSWORD, transport: 'cookie', client_id: 'shop' };
    const answer = await at('POST', '/v1/login', { body });
    const credential = { cookie: cookieOf(answer), csrf: String(answer.json.csrf_token) };
    return { name: this.name, credential, logOut: logOutByV1(credential) };
  },
};
