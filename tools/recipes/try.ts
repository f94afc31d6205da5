/**
 * Runs in a copy of the checkout in which recipes were followed: starts its server, sends the requests of its argument (a `Trial` in JSON),
 * and prints the answers. It knows no recipe.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { createAuthority } from '../../packages/server/src/authority.ts';
import { type Environment, inspectSettings } from '../../packages/server/src/config.ts';
import { createLog } from '../../packages/server/src/system/log.ts';
import { settingsPage } from '../docs/settings-page.ts';

export interface Trial {
  /** The address of a migrated, empty PostgreSQL. */
  database: string;
  settings: Environment;
  /** Settings that must be refused. */
  refused: Environment;
  /** The requests of each kind of caller. */
  paths: string[];
}

export interface Tried {
  faults: string[];
  settingsPage: string;
  /** By path and caller. */
  answers: Record<string, Record<string, { status: number; text: string }>>;
  openapi: { paths: Record<string, Record<string, { security?: object[] }>> };
}

const SERVICE_KEY = 'svc_of_the_recipes_0123456789abcdefghijkl';
const ADMINISTRATOR = 1;
const USER = 2;

const { database, settings, refused, paths } = JSON.parse(process.argv[2] ?? '') as Trial;
const authority = await createAuthority({
  settings: {
    DATABASE_URL: database,
    CURFEW_SERVICE_KEYS: SERVICE_KEY,
    CURFEW_DEMO_ACCOUNTS: '1',
    ...settings,
  },
  log: createLog('silent'),
});

async function ask(method: string, path: string, bearer?: string, body?: object): Promise<Response> {
  const headers = {
    ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
  const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  return authority.fetch(new Request(new URL(path, 'http://localhost:8000'), init));
}

async function logIn(user_id: number): Promise<string> {
  const answer = await ask('POST', '/v1/admin/sessions', SERVICE_KEY, { user_id });
  return ((await answer.json()) as { access_token: string }).access_token;
}

/** Whether a reader of the log still has events to process. */
async function isBehind(): Promise<boolean> {
  const state = await ask('GET', '/v1/admin/state', SERVICE_KEY);
  return ((await state.json()) as { readers: { behind: number }[] }).readers.some(({ behind }) => behind > 0);
}

const user = await logIn(USER);
const callers: Record<string, string | undefined> = {
  nobody: undefined,
  user,
  administrator: await logIn(ADMINISTRATOR),
  'service key': SERVICE_KEY,
};
const answers: Tried['answers'] = {};
for (const path of paths) {
  answers[path] = {};
  for (const [who, bearer] of Object.entries(callers)) {
    const answer = await ask('GET', path, bearer);
    answers[path][who] = { status: answer.status, text: await answer.text() };
  }
}
await ask('POST', '/v1/logout', user, { scope: 'this' });
while (await isBehind()) await pause(50);

const tried: Tried = {
  faults: inspectSettings(refused).faults.map(({ message }) => message),
  settingsPage: settingsPage(),
  answers,
  openapi: (await (await ask('GET', '/openapi.json')).json()) as Tried['openapi'],
};
console.log(JSON.stringify(tried));
await authority.close();
