import type { Authority } from '@curfew/server';
import { type Context, Hono } from 'hono';
import type { Child, FC } from 'hono/jsx';

const Page: FC<{ title: string; children: Child }> = ({ title, children }) => (
  <html lang="en">
    <head>
      <title>{title}</title>
      <link rel="icon" href="data:," />
      <script type="module" src="/browser.ts" />
    </head>
    <body>{children}</body>
  </html>
);

const LoginPage: FC<{ message: string }> = ({ message }) => (
  <Page title="Log in">
    <form method="post" action="/login">
      <p role="status">{message}</p>
      <label>
        E-mail <input name="email" type="email" autocomplete="username" required />
      </label>
      <label>
        Password <input name="password" type="password" autocomplete="current-password" required />
      </label>
      <button>Log in</button>
    </form>
  </Page>
);

const HomePage: FC<{ name: string; csrf: string }> = ({ name, csrf }) => (
  <Page title="Home">
    <h1>Hello {name}</h1>
    <form method="post" action="/logout">
      <input name="csrf" type="hidden" value={csrf} />
      <button name="scope" value="this">
        Log out
      </button>
      <button name="scope" value="all">
        Log out everywhere
      </button>
    </form>
  </Page>
);

/** The authority's answer about a session, or about its end. */
interface Standing {
  user?: { name: string };
  csrf_token?: string;
  ended?: { reason: string; by: string };
  title?: string;
}

/** Pages rendered here, the session in a cookie. It works without JavaScript; with it, a logout is seen at once. */
export function createApp(authority: Authority): Hono {
  const app = new Hono();

  /** Asks the authority in this process, with the browser's headers. */
  async function ask(c: Context, path: string, body?: object, csrf?: string): Promise<[Response, Standing]> {
    const headers = new Headers(body && { 'content-type': 'application/json' });
    if (csrf !== undefined) headers.set('x-csrf-token', csrf);
    for (const name of ['cookie', 'origin', 'sec-fetch-site', 'user-agent']) {
      const value = c.req.header(name);
      if (value !== undefined) headers.set(name, value);
    }
    const request = new Request(new URL(path, c.req.url), {
      headers,
      ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
    });
    const response = await authority.fetch(request);
    return [response, (await response.json()) as Standing];
  }

  app.get('/', async (c) => {
    const [response, { user, csrf_token = '' }] = await ask(c, '/v1/session');
    if (!response.ok || !user) return c.redirect('/login', 303);
    // Not for the back button, either.
    c.header('cache-control', 'no-store');
    return c.html(<HomePage name={user.name} csrf={csrf_token} />);
  });

  app.get('/login', async (c) => {
    const [response, { ended }] = await ask(c, '/v1/session');
    if (response.ok) return c.redirect('/', 303);
    c.header('cache-control', 'no-store');
    return c.html(
      <LoginPage message={ended ? `You were logged out: ${ended.reason}, by ${ended.by}.` : ''} />,
    );
  });

  app.post('/login', async (c) => {
    const { email, password } = await c.req.parseBody();
    const [response, { title }] = await ask(c, '/v1/login', { email, password, transport: 'cookie' });
    if (!response.ok) return c.html(<LoginPage message={title ?? ''} />, 401);
    for (const cookie of response.headers.getSetCookie()) c.header('set-cookie', cookie, { append: true });
    return c.redirect('/', 303);
  });

  // Before the page's script is there, and without one. The authority refuses it from another site.
  app.post('/logout', async (c) => {
    const { scope, csrf } = await c.req.parseBody<Record<string, string>>();
    const [response, { title }] = await ask(c, '/v1/logout', { scope }, csrf);
    if (!response.ok) return c.text(title ?? '', response.status as 500);
    for (const cookie of response.headers.getSetCookie()) c.header('set-cookie', cookie, { append: true });
    return c.redirect('/login', 303);
  });

  // The browser client talks to the authority itself.
  app.all('/v1/*', (c) => authority.fetch(c.req.raw));
  return app;
}
