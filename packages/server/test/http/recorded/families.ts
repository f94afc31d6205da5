/** Each API family from its login to its end, with its clients' mistakes. */
import { type AnyJson, cookieOf, ISSUER, NEW_PASSWORD, SERVICE_KEY } from '../../support.ts';
import { cookieLogin, newUser, opened, sessionTokenLogin, tokenLogin } from '../logins.ts';
import type { Recorder } from './recording.ts';

export type Section = (recorder: Recorder, pass: (seconds: number) => void) => Promise<void>;

const JSON_FAULTS: [who: string, body: string, headers?: Record<string, string>][] = [
  ['nothing', ''],
  ['no JSON', '{'],
  ['a list', '[]'],
  ['null', 'null'],
  ['nothing in it', '{}'],
  ['a form', 'email=a@example.com', { 'content-type': 'application/x-www-form-urlencoded' }],
  ['another charset', '{}', { 'content-type': 'application/json; charset=latin1' }],
  [
    'half a surrogate pair',
    '{"email":"\\ud800@example.com","username":"\\ud800@example.com","password":"x"}',
  ],
  ['a number for a text', '{"email":1,"username":1,"password":1,"refresh_token":1}'],
  ['no address', '{"email":"nobody","username":"nobody","password":"x"}'],
  ['an empty password', '{"email":"a@example.com","username":"a@example.com","password":""}'],
  ['too much', `{"email":"${'x'.repeat(70_000)}"}`],
];

/** A login with each fault, a wrong one, one of an unknown account, and one with unknown members. */
async function askWrongLogins(
  { ask, quietly }: Recorder,
  path: string,
  name: 'email' | 'username',
): Promise<void> {
  for (const [who, body, headers = {}] of JSON_FAULTS) await ask(who, 'POST', path, { body, headers });
  const { email } = await newUser(quietly);
  await ask('wrong', 'POST', path, { body: { [name]: 'test@example.com', password: 'wrong' } });
  await ask('of nobody', 'POST', path, { body: { [name]: 'nobody@example.com', password: 'wrong' } });
  const body = { [name]: 'test@example.com', password: 'password123', remember: true };
  await ask('an unknown member', 'POST', path, { body });
  await ask('an unknown parameter', 'POST', `${path}?x=1`, { body });
  const address = '198.51.100.7';
  for (let i = 0; i < 3; i++)
    await quietly('POST', path, { body: { [name]: email, password: 'wrong' }, address });
  await ask('too often', 'POST', path, { body: { [name]: email, password: NEW_PASSWORD }, address });
}

async function askWrongRefreshes({ ask }: Recorder, path: string): Promise<void> {
  for (const [who, body, headers = {}] of JSON_FAULTS.slice(0, 9))
    await ask(who, 'POST', path, { body, headers });
  await ask('made up', 'POST', path, { body: { refresh_token: 'rt_made-up' } });
  await ask('of the right form', 'POST', path, { body: { refresh_token: `rt_${'A'.repeat(43)}` } });
}

/** Refreshes once, again within the grace, with the result, and again after the grace. */
async function askRefreshes(
  { ask }: Recorder,
  pass: (seconds: number) => void,
  path: string,
  first: string,
  tokenOf: (body: AnyJson) => string,
): Promise<void> {
  const { json } = await ask('the first token', 'POST', path, { body: { refresh_token: first } });
  await ask('the first token again', 'POST', path, { body: { refresh_token: first } });
  await ask('its successor', 'POST', path, { body: { refresh_token: tokenOf(json) } });
  pass(60);
  await ask('the first token after the grace', 'POST', path, { body: { refresh_token: first } });
  await ask('its successor after that', 'POST', path, { body: { refresh_token: tokenOf(json) } });
}

const envelope: Section = async (recorder, pass) => {
  const { ask, quietly } = recorder;
  await askWrongLogins(recorder, '/auth/login', 'email');
  await ask('an unknown transport', 'POST', '/auth/login', {
    body: { email: 'test@example.com', password: 'password123', transport: 'pigeon' },
  });
  await askWrongRefreshes(recorder, '/auth/refresh');
  const { email } = await newUser(quietly, { name: 'En Velope', workspace: 'blue' });
  const logIn = () => ask('right', 'POST', '/auth/login', { body: { email, password: NEW_PASSWORD } });
  const first = (await logIn()).json.data;
  for (const path of ['/auth/profile', '/auth/workspace'])
    for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS'])
      await ask('alive', method, path, { bearer: first.access_token });
  const schemes = ['bearer', 'Basic', 'Bearer ', 'Token'];
  for (const scheme of schemes)
    await ask(`the scheme "${scheme}"`, 'GET', '/auth/profile', {
      headers: { authorization: `${scheme} ${first.access_token}` },
    });
  await askRefreshes(recorder, pass, '/auth/refresh', first.refresh_token, (body) => body.data.refresh_token);
  await ask('over by a token used twice', 'GET', '/auth/profile', { bearer: first.access_token });
  const [one, two] = [(await logIn()).json.data, (await logIn()).json.data];
  await ask('GET', 'GET', '/auth/logout', { bearer: one.access_token });
  await ask('no UTF-8', 'POST', '/auth/logout?scope=%FF', { bearer: one.access_token });
  await ask('a scope, which is ignored', 'POST', '/auth/logout?scope=pigeon', {
    bearer: one.access_token,
  });
  await ask('again', 'POST', '/auth/logout', { bearer: one.access_token });
  for (const path of ['/auth/profile', '/auth/workspace'])
    await ask('logged out with the other', 'GET', path, { bearer: two.access_token });
  await ask('logged out with the other', 'POST', '/auth/refresh', {
    body: { refresh_token: two.refresh_token },
  });
  const third = (await logIn()).json.data;
  pass(301);
  await ask('a token that ran out', 'GET', '/auth/profile', { bearer: third.access_token });
  await ask('its refresh token', 'POST', '/auth/refresh', { body: { refresh_token: third.refresh_token } });
};

const sessionId: Section = async (recorder) => {
  const { ask, quietly } = recorder;
  await askWrongLogins(recorder, '/api/auth/login', 'username');
  const { id, email } = await newUser(quietly, { name: 'Session Id' });
  const logIn = async () => {
    const body = { username: email, password: NEW_PASSWORD };
    return (await ask('right', 'POST', '/api/auth/login', { body })).json.data.sessionToken as string;
  };
  const [one, two] = [await logIn(), await logIn()];
  const admin = await sessionTokenLogin(quietly, 'admin@example.com');
  for (const method of ['GET', 'HEAD', 'DELETE'])
    await ask('oneself', method, `/api/users/${id}`, { bearer: one });
  for (const other of ['1', '0', '-1', '01', 'me', '99999999999999999999', '%FF', ''])
    await ask('another', 'GET', `/api/users/${other}`, { bearer: one });
  for (const other of [String(id), '999', '9007199254740993', 'me'])
    await ask('an administrator', 'GET', `/api/users/${other}`, { bearer: admin });
  await ask('a service key', 'GET', `/api/users/${id}`, { bearer: SERVICE_KEY });
  const stranger = await sessionTokenLogin(quietly);
  for (const query of [
    '',
    '?userId=1',
    `?sessionId=${one}`,
    `?userId=&sessionId=${one}`,
    `?userId=0&sessionId=${one}`,
    `?userId=x&sessionId=${one}`,
    `?userId=9223372036854775807&sessionId=${one}`,
    `?userId=9223372036854775808&sessionId=${one}`,
    `?userId=${id}&sessionId=`,
    `?userId=${id}&sessionId=sess_made-up`,
    `?userId=${id}&sessionId=${stranger}`,
    `?userId=${id}&userId=${id}&sessionId=${one}`,
    `?userId=${id}&sessionId=%FF`,
    `?userId=${id}&sessionId=${one}&more=1`,
    `?userId=${id}&sessionId=${one}`,
  ])
    await ask('by the query', 'POST', `/api/auth/logout${query}`);
  await ask('GET', 'GET', `/api/auth/logout?userId=${id}&sessionId=${two}`);
  await ask('logged out', 'GET', `/api/users/${id}`, { bearer: one });
  await ask('the other one lives', 'GET', `/api/users/${id}`, { bearer: two });
};

const token: Section = async (recorder, pass) => {
  const { ask, quietly } = recorder;
  await askWrongLogins(recorder, '/api/v1/auth/login', 'email');
  await askWrongRefreshes(recorder, '/api/v1/auth/refresh');
  const { email } = await newUser(quietly, { name: 'To Ken' });
  const logIn = async () =>
    (await ask('right', 'POST', '/api/v1/auth/login', { body: { email, password: NEW_PASSWORD } })).json;
  const first = await logIn();
  for (const method of ['GET', 'HEAD', 'PUT', 'OPTIONS'])
    await ask('alive', method, '/api/v1/auth/status', { bearer: first.access_token });
  const [number, secret] = first.access_token.split('|');
  for (const bearer of [
    `${Number(number) + 1}|${secret}`,
    secret,
    `0${number}|${secret}`,
    `${number}|x`,
    '|',
    '',
  ])
    await ask('a wrong one', 'GET', '/api/v1/auth/status', { bearer });
  await askRefreshes(
    recorder,
    pass,
    '/api/v1/auth/refresh',
    first.refresh_token,
    (body) => body.refresh_token,
  );
  const [one, two] = [await logIn(), await logIn()];
  const { cookie, csrf } = await cookieLogin(quietly, email);
  await ask('a cookie', 'GET', '/api/v1/auth/status', { cookie });
  await ask('a cookie', 'POST', '/api/v1/auth/logout', { cookie, csrf });
  await ask('with a cookie beside it', 'POST', '/api/v1/auth/logout', { bearer: one.access_token, cookie });
  await ask('again', 'POST', '/api/v1/auth/logout', { bearer: one.access_token });
  await ask('logged out with the other', 'GET', '/api/v1/auth/status', { bearer: two.access_token });
  await ask('logged out with the other', 'POST', '/api/v1/auth/refresh', {
    body: { refresh_token: two.refresh_token },
  });
  pass(1);
  const last = await tokenLogin(quietly, email);
  pass(3601);
  await ask('a token that ran out', 'GET', '/api/v1/auth/status', { bearer: last.bearer });
};

const cookie: Section = async ({ ask, quietly }) => {
  const { id, email } = await newUser(quietly, { name: 'Coo Kie' });
  const body = { email, password: NEW_PASSWORD, transport: 'cookie' };
  for (const [who, headers] of Object.entries(FROM))
    await ask(`a login from ${who}`, 'POST', '/auth/login', { body, headers });
  const before = await cookieLogin(quietly, email);
  const login = await ask('right, instead of the one before', 'POST', '/auth/login', {
    body,
    cookie: before.cookie,
  });
  await ask('the one before', 'GET', '/auth/profile', { cookie: before.cookie });
  const own = { cookie: cookieOf(login), csrf: login.json.data.csrf_token };
  for (const path of ['/auth/profile', '/auth/workspace', '/v1/session', '/v1/sessions', '/v1/check'])
    await ask('alive', 'GET', path, { cookie: own.cookie });
  const both = `curfew_session=${own.cookie}; curfew_session=${before.cookie}`;
  for (const cookies of [
    both,
    'curfew_session=',
    'curfew_session=cs_made-up',
    `other=1; curfew_session=${own.cookie}`,
  ])
    await ask('these cookies', 'GET', '/auth/profile', { headers: { cookie: cookies } });
  await ask('as a bearer token', 'GET', '/auth/profile', { bearer: own.cookie });
  await ask('beside a dead token', 'GET', '/auth/profile', { cookie: own.cookie, bearer: 'made-up' });
  for (const [who, headers] of Object.entries(FROM))
    for (const token of ['wrong', ''])
      await ask(`from ${who}, CSRF token "${token}"`, 'POST', '/auth/logout', {
        cookie: own.cookie,
        headers: { ...headers, 'x-csrf-token': token },
      });
  for (const scope of ['pigeon', '', 'all&scope=this', '%FF'])
    await ask('an unknown scope', 'POST', `/auth/logout?scope=${scope}`, own);
  await opened(quietly, id);
  await ask('of the others', 'POST', '/auth/logout?scope=others', own);
  await ask('still alive', 'GET', '/auth/profile', { cookie: own.cookie });
  await ask('of all', 'POST', '/auth/logout?scope=all', own);
  await ask('again', 'POST', '/auth/logout', own);
  await ask('dead', 'GET', '/auth/profile', { cookie: own.cookie });
  for (const query of ['', '?scope=this']) {
    const next = await cookieLogin(quietly, email);
    await ask('of this one', 'POST', `/auth/logout${query}`, next);
  }
};

/** The origins of a request, as browsers send them. */
const FROM: Record<string, Record<string, string>> = {
  'another site': { 'sec-fetch-site': 'cross-site' },
  'another origin': { origin: 'https://elsewhere.example' },
  'no origin': { origin: 'null' },
  'a page of ours': { 'sec-fetch-site': 'same-origin', origin: ISSUER },
};

export const FAMILIES: Record<string, Section> = {
  '001': envelope,
  '002': sessionId,
  '003': token,
  '004': cookie,
};
