import type { Camera } from './camera.ts';
import { NEW_PASSWORD, PASSWORD } from './people.ts';

const ADMIN = 'admin@example.com';
const WINDOWS =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36';
const ANDROID =
  'Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36';
const LINUX = 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0';
const NAMES = [
  'Ada Lovelace',
  'Łukasz Nowak',
  'Nguyễn Thị Mai',
  '王小明',
  'Grace Hopper',
  'Maria Skłodowska',
];

/** The people that the administration shows, and what happened to them. */
export async function populate(origin: string): Promise<void> {
  const send = async (
    path: string,
    body: object,
    { bearer, agent, method = 'POST' }: { bearer?: string; agent?: string; method?: string } = {},
  ): Promise<Record<string, unknown>> => {
    const response = await fetch(origin + path, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(bearer ? { authorization: `Bearer ${bearer}` } : {}),
        ...(agent ? { 'user-agent': agent } : {}),
      },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.status === 204 ? {} : ((await response.json()) as Record<string, unknown>);
  };
  const logIn = async (email: string, agent: string, more: object = {}): Promise<string> =>
    String(
      (
        await send(
          '/v1/login',
          { email, password: email.startsWith('person') ? NEW_PASSWORD : PASSWORD, ...more },
          { agent },
        )
      )['access_token'],
    );
  const bearer = await logIn(ADMIN, LINUX);
  const ids: number[] = [];
  for (const [i, name] of NAMES.entries()) {
    const account = { email: `person${i + 1}@example.com`, name, password: NEW_PASSWORD };
    const { user } = await send('/v1/admin/users', account, { bearer });
    ids.push((user as { id: number }).id);
  }
  const ada = 'person1@example.com';
  await send('/v1/logout', {}, { bearer: await logIn(ada, LINUX, { client_id: 'shop' }) });
  await logIn(ada, WINDOWS, { client_id: 'shop' });
  await logIn(ada, ANDROID);
  await logIn(ada, 'curl/8.5.0', { device: { name: 'Nightly report' } });
  await logIn('person2@example.com', LINUX, { client_id: 'shop' });
  await logIn('person5@example.com', ANDROID, { client_id: 'shop' });
  await send(`/v1/admin/users/${ids[5]}`, { disabled: true }, { bearer, method: 'PATCH' });
  await send(`/v1/admin/users/${ids[4]}`, { role: 'admin' }, { bearer, method: 'PATCH' });
  await send('/v1/logout', {}, { bearer });
}

/** The administration. Nothing is changed there. */
export async function administration(camera: Camera): Promise<void> {
  const { page, origin } = camera;
  await page.goto(`${origin}/login?next=%2Fadmin`);
  await page.fill('[name=email]', ADMIN);
  await page.fill('[name=password]', PASSWORD);
  await page.click('button[type=submit]');
  await page.locator('.row-link').first().waitFor();
  await camera.take('admin-users', true);
  await page.getByRole('searchbox').fill('lovel');
  await page.locator('.row-link').nth(1).waitFor({ state: 'detached' });
  await page.locator('.row-link').click();
  await page.locator('.session').first().waitFor();
  await page.locator('.event').first().waitFor();
  await page.locator('.session input').first().check();
  await page.locator('details.ended summary').click();
  await page.locator('.session.over').first().waitFor();
  await camera.take('admin-user', true);
  await page.locator('aside .bad').click();
  await page.getByRole('dialog').waitFor();
  await camera.take('admin-disable');
  await page.goto(`${origin}/admin/applications`);
  await page.locator('.application').first().waitFor();
  await page.locator('.application .count', { hasText: /\d/ }).first().waitFor();
  await camera.take('admin-applications', true);
  await page.locator('.everyone button').click();
  await page.locator('.number-to-type').waitFor();
  await camera.take('admin-everyone');
  await page.goto(`${origin}/admin/log`);
  await page.locator('.event').first().waitFor();
  await camera.take('admin-log');
  await page.locator('.filters summary').click();
  await camera.take('admin-log-filters');
  await page.goto(`${origin}/admin/state`);
  await page.locator('.chart canvas').waitFor();
  await page.locator('.tile dd', { hasText: /^\d/ }).first().waitFor();
  await camera.take('admin-system', true);
  // So that it is not among the sessions of the next picture.
  await page.locator('.account button').click();
  await page.locator('.farewell').waitFor();
}
