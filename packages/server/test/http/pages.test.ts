/** The pages without a browser: the server's HTML, and the forms that it accepts. */
import { gunzipSync, brotliDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readBuilt } from '../../src/http/pages/built.ts';
import { endedKey } from '@curfew/protocol/ended-key';
import { ENDED_BY, END_REASONS } from '@curfew/protocol/notices';
import {
  type Answer,
  cookieOf,
  ISSUER,
  openAuthority,
  PASSWORD,
  routeBackend,
  type TestAuthority,
} from '../support.ts';
import { ADMIN, USER } from './logins.ts';

const FORM = {
  'content-type': 'application/x-www-form-urlencoded',
  origin: ISSUER,
  'sec-fetch-site': 'same-origin',
};

let on: TestAuthority;
beforeAll(async () => {
  on = await openAuthority(routeBackend(), { CURFEW_LOGIN_FAILURES_PAIR: '5' });
});
afterAll(() => on.close());

const get = (path: string, headers: Record<string, string> = {}, cookie?: string): Promise<Answer> =>
  on.call('GET', path, { headers, ...(cookie === undefined ? {} : { cookie }) });
const post = (
  path: string,
  fields: Record<string, string>,
  { headers = FORM, cookie }: { headers?: Record<string, string>; cookie?: string } = {},
): Promise<Answer> =>
  on.call('POST', path, {
    body: new URLSearchParams(fields).toString(),
    headers,
    address: '192.0.2.44',
    ...(cookie === undefined ? {} : { cookie }),
  });
const logIn = async (email = USER): Promise<string> =>
  cookieOf(await post('/login', { email, password: PASSWORD }));

describe('the login form', () => {
  test('is complete without a script, and cannot be cached, framed or injected into', async () => {
    const { status, text, headers } = await get('/login?next=/devices%3Fx=1');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toMatch(/^text\/html/);
    expect(text).toContain('<form class="stack" method="post" action="/login">');
    expect(text).toContain('<input type="hidden" name="next" value="/devices?x=1">');
    expect(headers.get('cache-control')).toBe('no-store');
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).not.toContain('unsafe');
    for (const part of [
      "default-src 'none'",
      "frame-ancestors 'none'",
      "form-action 'self'",
      "base-uri 'none'",
    ])
      expect(policy).toContain(part);
    // Nothing inline: scripts have a source, or are data; no style and no handler.
    expect(text.match(/<script(?![^>]*(src=|type="application\/json"))/g)).toBeNull();
    expect(text).not.toMatch(/<style|\sstyle=|\son\w+=/i);
  });

  test('logs in, sets the cookie and goes where the visitor wanted to go', async () => {
    const answer = await post('/login', { email: USER, password: PASSWORD, next: '/devices?a=b' });
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/devices?a=b']);
    const cookie = cookieOf(answer);
    expect((await get('/v1/session', {}, cookie)).status).toBe(200);
    expect(answer.headers.getSetCookie()[0]).toMatch(/HttpOnly; SameSite=Lax$/);
    // A logged-in user is redirected.
    const again = await get('/login?next=/devices?c', {}, cookie);
    expect([again.status, again.headers.get('location')]).toEqual([303, '/devices?c']);
  });

  test.each([
    '//evil.example',
    '/\\evil.example',
    'https://evil.example',
    '/.//evil.example',
    'javascript:alert(1)',
  ])('goes nowhere else: %s', async (next) => {
    const page = await get(`/login?next=${encodeURIComponent(next)}`);
    expect(page.text).not.toContain('evil.example');
    const answer = await post('/login', { email: USER, password: PASSWORD, next });
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/devices']);
  });

  test('gives the same message for a wrong password, an unknown address, and an invalid one', async () => {
    const said = [];
    for (const fields of [
      { email: USER, password: 'wrong' },
      { email: 'nobody@example.com', password: PASSWORD },
      { email: 'no address', password: 'x' },
      { email: USER, password: 'x'.repeat(1025) },
    ]) {
      const { status, text, headers } = await post('/login', fields);
      expect(status).toBe(401);
      expect(headers.getSetCookie()).toEqual([]);
      said.push(/role="alert">([^<]*)</.exec(text)?.[1]);
      expect(text).not.toContain(`value="${fields.password}"`);
    }
    expect(new Set(said)).toEqual(new Set(['Wrong e-mail address or password.']));
    // Invalid text is refused before it is read.
    const nul = await post('/login', { email: 'nul\0@example.com', password: 'x' });
    expect([nul.status, nul.headers.getSetCookie(), nul.text.includes('\0')]).toEqual([400, [], false]);
  });

  test('asks for missing input, and keeps the address', async () => {
    const { status, text } = await post('/login', { email: USER, password: '', next: '/devices' });
    expect(status).toBe(400);
    expect(text).toContain('Enter your e-mail address and password.');
    expect(text).toContain(`value="${USER}"`);
    expect(text).toContain('name="next" value="/devices"');
  });

  test('shows typed input as text', async () => {
    const email = '"><script>alert(1)</script>\u202e@example.com';
    const { text } = await post('/login', { email, password: 'x' });
    expect(text).not.toContain('<script>alert');
    expect(text).toContain('&lt;script&gt;');
    expect(text).not.toMatch(/"email":"[^"]*</);
  });

  test('delays guesses, and says for how long', async () => {
    for (let i = 0; i < 5; i++) await post('/login', { email: ADMIN, password: `wrong ${i}` });
    const { status, text, headers } = await post('/login', { email: ADMIN, password: PASSWORD });
    expect(status).toBe(429);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(text).toMatch(/Try again in \d+ minutes?\./);
  });

  test.each([
    ['another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
    ['a sibling host', { 'sec-fetch-site': 'same-site', origin: 'https://app.example.com' }],
    ['nowhere', { origin: 'null' }],
  ])('is refused from a page of %s: login CSRF', async (_name, from) => {
    const headers = { 'content-type': FORM['content-type'], ...from };
    const answer = await post('/login', { email: USER, password: PASSWORD }, { headers });
    expect([answer.status, answer.headers.getSetCookie()]).toEqual([403, []]);
    expect(answer.text).toContain('Blocked: the request came from another website.');
  });

  test('accepts only a form, of limited size', async () => {
    const json = await on.call('POST', '/login', { body: { email: USER, password: PASSWORD } });
    expect([json.status, json.headers.getSetCookie()]).toEqual([400, []]);
    const large = await post('/login', { email: USER, password: 'x'.repeat(70_000) });
    expect(large.status).toBe(413);
  });

  test('ends the browser’s earlier session', async () => {
    const first = await logIn();
    const second = cookieOf(await post('/login', { email: USER, password: PASSWORD }, { cookie: first }));
    expect((await get('/v1/session', {}, first)).status).toBe(401);
    expect((await get('/v1/session', {}, second)).status).toBe(200);
  });
});

describe('why a visitor is on the login page', () => {
  const notice = (answer: Answer): string | undefined => /<p class="notice">([^<]*)</.exec(answer.text)?.[1];

  test('is said by the address, for known reasons and in Curfew’s words', async () => {
    expect(notice(await get('/login?reason=administrator'))).toBe('An administrator logged you out.');
    for (const reason of ['nonsense', '<b>', 'Call+0900-1', '__proto__', 'constructor', 'idle_after', ''])
      expect(notice(await get(`/login?reason=${reason}`))).toBeUndefined();
  });

  test('is said by the cookie of an ended session, in each language', async () => {
    const cookie = await logIn();
    const other = await on.call('POST', '/v1/login', { body: { email: USER, password: PASSWORD } });
    await on.call('POST', '/v1/logout', {
      bearer: other.json['access_token'] as string,
      body: { scope: 'others' },
    });
    const away = await get('/devices', {}, cookie);
    expect([away.status, away.headers.get('location')]).toEqual([303, '/login?next=%2Fdevices']);
    const said = (language: string): Promise<string | undefined> =>
      get(`/login?lang=${language}`, {}, cookie).then(notice);
    expect(await said('en')).toBe('You were logged out from another of your devices.');
    expect(await said('pl')).toBe('Wylogowano z innego urządzenia na tym koncie.');
    expect(await said('vi')).toBe('Bạn đã bị đăng xuất từ một thiết bị khác của mình.');
    expect(await said('zh')).toBe('您在另一台设备上退出了此处的登录。');
  });

  test('is not said to a forged cookie', async () => {
    expect(notice(await get('/login', {}, `cs_${'A'.repeat(43)}`))).toBeUndefined();
    expect(notice(await get('/login', {}, 'nonsense'))).toBeUndefined();
  });

  test('has a sentence for every way in which a session can end', () => {
    const sentences = Object.keys(readBuilt()?.languages['en']?.texts.ended ?? {});
    for (const reason of END_REASONS)
      for (const by of ENDED_BY) expect(sentences).toContain(endedKey({ reason, by }));
  });
});

describe('the logout form', () => {
  const tokenIn = (text: string): string => /name="csrf" value="([^"]+)"/.exec(text)?.[1] ?? '';

  test('asks first, and logs out when it is sent', async () => {
    const cookie = await logIn();
    const page = await get('/logout?next=/devices', {}, cookie);
    expect(page.status).toBe(200);
    expect((await get('/v1/session', {}, cookie)).status).toBe(200);
    const answer = await post('/logout', { csrf: tokenIn(page.text), next: '/devices' }, { cookie });
    expect([answer.status, answer.headers.get('location')]).toEqual([
      303,
      '/login?reason=you&next=%2Fdevices',
    ]);
    expect(answer.headers.getSetCookie().join()).toContain('curfew_session=; Max-Age=0');
    expect((await get('/v1/session', {}, cookie)).status).toBe(401);
  });

  test('is refused without this session’s token, or from another site', async () => {
    const cookie = await logIn();
    const csrf = tokenIn((await get('/logout', {}, cookie)).text);
    const others = tokenIn((await get('/logout', {}, await logIn())).text);
    const foreign = { ...FORM, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
    expect((await post('/logout', {}, { cookie })).status).toBe(403);
    expect((await post('/logout', { csrf: others }, { cookie })).status).toBe(403);
    expect((await post('/logout', { csrf }, { cookie, headers: foreign })).status).toBe(403);
    expect((await get('/v1/session', {}, cookie)).status).toBe(200);
  });

  test('asks nothing without a session', async () => {
    const { status, text } = await get('/logout');
    expect([status, text.includes('<form')]).toEqual([200, false]);
  });
});

describe('the pages of logged-in users', () => {
  test('hold no data of the user, and are for logged-in users only', async () => {
    const cookie = await logIn();
    const { status, text, headers } = await get('/devices', {}, cookie);
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(text).not.toContain(USER);
    expect(text).not.toContain('Demo');
    expect(text).toContain('This page needs JavaScript.');
    const home = await get('/');
    expect([home.status, home.headers.get('location')]).toEqual([303, '/devices']);
    const away = await get('/devices?x=1');
    expect([away.status, away.headers.get('location')]).toEqual([303, '/login?next=%2Fdevices%3Fx%3D1']);
  });
});

describe('the language', () => {
  const langOf = (answer: Answer): string | undefined => /<html lang="([^"]+)"/.exec(answer.text)?.[1];

  test('is the browser’s, or the chosen one, which is kept', async () => {
    expect(langOf(await get('/login', { 'accept-language': 'de,vi;q=0.5' }))).toBe('vi');
    expect(langOf(await get('/login'))).toBe('en');
    const chosen = await get('/login?lang=zh&next=/devices', { 'accept-language': 'pl' });
    expect(langOf(chosen)).toBe('zh-Hans');
    const kept = chosen.headers.getSetCookie().find((line) => line.startsWith('curfew_language='));
    expect(kept).toMatch(/^curfew_language=zh; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Lax$/);
    expect(langOf(await get('/login', { cookie: 'curfew_language=zh', 'accept-language': 'pl' }))).toBe(
      'zh-Hans',
    );
    for (const wrong of ['xx', '__proto__', 'en%0d%0aset-cookie:a=b'])
      expect((await get(`/login?lang=${wrong}`)).headers.getSetCookie()).toEqual([]);
    // The links to the others keep where the visitor wanted to go.
    expect(chosen.text).toContain('href="?lang=pl&amp;next=%2Fdevices"');
  });

  test('the theme is in the page, so that no wrong colours flash', async () => {
    expect((await get('/login', { cookie: 'curfew_theme=dark' })).text).toContain(
      '<html lang="en" data-theme="dark">',
    );
    expect((await get('/login', { cookie: 'curfew_theme="><script>' })).text).toContain('<html lang="en">');
  });
});

describe('files', () => {
  const page = async (): Promise<string[]> =>
    [...(await get('/login')).text.matchAll(/(?:src|href)="(\/pages\/[^"]+)"/g)].map(
      (match) => match[1] as string,
    );

  test('are cached for ever by their names, compressed, with their types', async () => {
    const files = await page();
    expect(files.length).toBeGreaterThan(3);
    for (const file of files) {
      expect(file).toMatch(/-[\w-]{8}\.(js|css|svg)$/);
      const plain = await get(file);
      expect(plain.status).toBe(200);
      expect(plain.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      expect(plain.headers.get('content-type')).toMatch(/^(text\/(javascript|css)|image\/svg\+xml)/);
      expect(plain.headers.get('x-content-type-options')).toBe('nosniff');
      for (const [coding, decode] of [
        ['br', brotliDecompressSync],
        ['gzip', gunzipSync],
      ] as const) {
        const response = await on.authority.fetch(
          new Request(ISSUER + file, { headers: { 'accept-encoding': `x, ${coding};q=0.5` } }),
        );
        expect(response.headers.get('content-encoding')).toBe(coding);
        expect(response.headers.get('vary')).toContain('Accept-Encoding');
        expect(decode(Buffer.from(await response.arrayBuffer())).toString()).toBe(plain.text);
      }
      const etag = plain.headers.get('etag') as string;
      expect((await get(file, { 'if-none-match': `"x", W/${etag}` })).status).toBe(304);
    }
  });

  test('the elements have a fixed name, and may be loaded by pages of other origins', async () => {
    const { status, headers } = await get('/pages/curfew-elements.js', { origin: 'https://shop.example' });
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('public, no-cache');
    expect(headers.get('access-control-allow-origin')).toBe('*');
    expect(headers.get('cross-origin-resource-policy')).toBe('cross-origin');
  });

  test.each([
    'pages.json',
    '..%2f..%2fpackage.json',
    '%2e%2e/swagger-ui/LICENSE',
    '....//x',
    '%00',
    '%',
    'login.js',
    '__proto__',
    'constructor',
    'a'.repeat(300),
  ])('no other file is served: %s', async (name) => {
    expect((await get(`/pages/${name}`)).status).toBe(404);
  });
});

describe('a server without the pages', () => {
  test('with CURFEW_PAGES=0 leaves their addresses free', async () => {
    const bare = await openAuthority(routeBackend(), { CURFEW_PAGES: '0' });
    try {
      for (const path of ['/', '/login', '/logout', '/devices', '/pages/curfew-elements.js'])
        expect((await bare.call('GET', path)).status).toBe(404);
      expect((await bare.call('GET', '/healthz')).status).toBe(200);
    } finally {
      await bare.close();
    }
  });

  test('that were not built has none to serve', () => {
    expect(readBuilt(new URL('file:///nowhere/at/all/'))).toBeNull();
  });
});
