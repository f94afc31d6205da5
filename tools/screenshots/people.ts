import type { Camera } from './camera.ts';

export const PASSWORD = 'password123';
export const NEW_PASSWORD = 'a password for the pictures';
export const EMAIL = 'test@example.com';
const AGENTS: [agent: string, name: string | undefined, minutesAgo: number][] = [
  ['curl/8.5.0', 'Backup', 3 * 24 * 60 + 90],
  [
    'Mozilla/5.0 (iPad; CPU OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Safari/604.1',
    undefined,
    26 * 60,
  ],
  [
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Mobile/15E148 Safari/604.1',
    undefined,
    3,
  ],
];

/** The login, my devices, and the acts there. */
export async function people(camera: Camera): Promise<void> {
  const { page, origin } = camera;
  const ages = new Map<string, number>();
  for (const [agent, name, minutes] of AGENTS) ages.set((await start(origin, agent, name)).id, minutes);
  await makeOlder(camera, ages);

  await page.goto(`${origin}/login`);
  await page.waitForSelector('html[data-ready]');
  await camera.take('login', true);
  await page.goto(`${origin}/login?reason=other_device`);
  await page.waitForSelector('html[data-ready]');
  await camera.take('why', true);
  await page.fill('[name=email]', EMAIL);
  await page.fill('[name=password]', 'wrong');
  await page.click('button[type=submit]');
  await page.getByRole('alert').waitFor();
  await camera.take('login-refused', true);

  await logIn(camera);
  await page.locator('.device').nth(3).waitFor();
  await page.locator('.device summary').nth(1).click();
  await camera.take('devices', true);
  await page.locator('.device .plain').nth(1).click();
  await page.getByRole('dialog').waitFor();
  await camera.take('naming');
  await page.keyboard.press('Escape');
  await page.locator('.ends button').first().click();
  await page.getByRole('dialog').waitFor();
  await camera.take('asking');
  await page.locator('dialog .main').click();
  await page.locator('.notice.good').waitFor();
  await camera.take('ended', true);
  await page.goto(`${origin}/logout`);
  await camera.take('logout', true);
  await page.goto(`${origin}/admin`);
  await page.locator('.refusal').waitFor();
  await camera.take('admin-refused', true);

  await start(origin, 'curl/8.5.0', 'Backup');
  await page.goto(`${origin}/devices`);
  await page.locator('.device').nth(1).waitFor();
  await page.locator('.ends .bad').click();
  await page.getByRole('dialog').waitFor();
  await camera.take('asking-all');
  await page.locator('dialog .bad').click();
  await page.locator('.farewell').waitFor();
  await camera.take('farewell', true);

  await logIn(camera);
  await page.locator('.device').waitFor();
  const phone = await start(origin, 'curl/8.5.0', undefined);
  await fetch(`${origin}/v1/logout`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${phone.token}` },
    body: JSON.stringify({ scope: 'all' }),
  });
  await page.locator('.farewell').waitFor();
  await camera.take('told', true);
}

/** The script opens all sessions at once. This makes the devices older. @param ages in minutes, by session */
async function makeOlder({ page }: Camera, ages: ReadonlyMap<string, number>): Promise<void> {
  await page.route('**/v1/sessions', async (route) => {
    const response = await route.fetch();
    const body = (await response.json()) as {
      sessions?: { id: string; created_at: string; last_seen_at: string }[];
    };
    for (const session of body.sessions ?? []) {
      const minutes = ages.get(session.id);
      if (minutes === undefined) continue;
      const at = (ago: number): string => new Date(Date.now() - ago * 60_000).toISOString();
      session.last_seen_at = at(minutes);
      session.created_at = at(minutes + 2000);
    }
    await route.fulfill({ response, json: body });
  });
}

async function logIn({ page, origin }: Camera): Promise<void> {
  await page.goto(`${origin}/login`);
  await page.fill('[name=email]', EMAIL);
  await page.fill('[name=password]', PASSWORD);
  await page.click('button[type=submit]');
}

/** A session on another device. */
async function start(
  origin: string,
  agent: string,
  name: string | undefined,
): Promise<{ id: string; token: string }> {
  const response = await fetch(`${origin}/v1/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'user-agent': agent },
    body: JSON.stringify({
      email: EMAIL,
      password: PASSWORD,
      ...(name === undefined ? {} : { device: { name } }),
    }),
  });
  const { session, access_token: token } = (await response.json()) as {
    session: { id: string };
    access_token: string;
  };
  return { id: session.id, token };
}
