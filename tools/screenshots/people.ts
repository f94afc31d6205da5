import type { Camera } from './camera.ts';

const PASSWORD = 'password123';
const EMAIL = 'test@example.com';
const AGENTS: [agent: string, name: string | undefined, minutesAgo: number][] = [
  ['curl/8.5.0', 'Backup', 3 * 24 * 60],
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

/** The login, my devices, and what can be done there. @param all every state, else the two pages alone */
export async function people(camera: Camera, all: boolean): Promise<void> {
  const { page, origin } = camera;
  await page.goto(`${origin}/login${all ? '' : '?reason=other_device'}`);
  await page.waitForSelector('html[data-ready]');
  await camera.take('login');
  if (all) {
    await page.fill('[name=email]', EMAIL);
    await page.fill('[name=password]', 'wrong');
    await page.click('button[type=submit]');
    await page.getByRole('alert').waitFor();
    await camera.take('login-refused');
  }
  const ages = new Map<string, number>();
  for (const [agent, name, minutes] of AGENTS) ages.set(await logIn(origin, agent, name), minutes);
  // The pictures are taken in a moment; the devices are older than that.
  await page.route('**/v1/sessions', async (route) => {
    const response = await route.fetch();
    const body = (await response.json()) as {
      sessions: { id: string; created_at: string; last_seen_at: string }[];
    };
    for (const session of body.sessions) {
      const minutes = ages.get(session.id);
      if (minutes === undefined) continue;
      const at = (ago: number): string => new Date(Date.now() - ago * 60_000).toISOString();
      session.last_seen_at = at(minutes);
      session.created_at = at(minutes + 2000);
    }
    await route.fulfill({ response, json: body });
  });
  await page.goto(`${origin}/login`);
  await page.fill('[name=email]', EMAIL);
  await page.fill('[name=password]', PASSWORD);
  await page.click('button[type=submit]');
  await page.locator('.device').nth(3).waitFor();
  if (all) await page.locator('.device summary').nth(1).click();
  await camera.take('devices', true);
  if (!all) return endAll(camera);
  await page.locator('.device .plain').nth(1).click();
  await page.getByRole('dialog').waitFor();
  await camera.take('naming');
  await page.keyboard.press('Escape');
  await page.locator('.ends button').first().click();
  await page.getByRole('dialog').waitFor();
  await camera.take('asking');
  await page.locator('dialog .main').click();
  await page.locator('.notice.good').waitFor();
  await camera.take('ended');
  await endAll(camera);
  await camera.take('farewell');
}

async function endAll({ page }: Camera): Promise<void> {
  await page.locator('.ends .bad').click();
  await page.locator('dialog .bad').click();
  await page.locator('.farewell').waitFor();
}

/** @returns the session's id */
async function logIn(origin: string, agent: string, name: string | undefined): Promise<string> {
  const response = await fetch(`${origin}/v1/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'user-agent': agent },
    body: JSON.stringify({
      email: EMAIL,
      password: PASSWORD,
      ...(name === undefined ? {} : { device: { name } }),
    }),
  });
  return ((await response.json()) as { session: { id: string } }).session.id;
}
