import type { Camera } from './camera.ts';

const PASSWORD = 'password123';
const ADMIN = 'admin@example.com';
const NAMES = [
  'Ada Lovelace',
  'Łukasz Nowak',
  'Nguyễn Thị Mai',
  '王小明',
  'Grace Hopper',
  'Maria Skłodowska',
];

/** The administration. @param all every page, else the one with the most words */
export async function administration(camera: Camera, all: boolean): Promise<void> {
  const { page, origin, look } = camera;
  const post = async (path: string, body: object, bearer?: string): Promise<Record<string, unknown>> => {
    const response = await fetch(origin + path, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(bearer ? { authorization: `Bearer ${bearer}` } : {}),
      },
      body: JSON.stringify(body),
    });
    return response.status === 204 ? {} : ((await response.json()) as Record<string, unknown>);
  };
  const logIn = async (email: string): Promise<string> =>
    String((await post('/v1/login', { email, password: PASSWORD }))['access_token']);
  const bearer = await logIn(ADMIN);
  // Made by an earlier picture already, it is refused, and there all the same.
  for (const [i, name] of NAMES.entries())
    await post('/v1/admin/users', { email: `person${i + 1}@example.com`, name, password: PASSWORD }, bearer);
  for (const email of ['person1@example.com', 'person1@example.com', 'person2@example.com'])
    await logIn(email);
  for (let i = 0; i < 4; i++) await post('/v1/logout', {}, await logIn(`person${i + 2}@example.com`));
  await post('/v1/logout', {}, bearer);

  await page.goto(`${origin}/login?next=%2Fadmin`);
  await page.fill('[name=email]', ADMIN);
  await page.fill('[name=password]', PASSWORD);
  await page.click('button[type=submit]');
  await page.locator('.row-link').first().waitFor();
  const wide = look.name.endsWith('wide');
  if (look.name === 'light-wide' && all) await camera.take('admin-users');
  await page.getByRole('searchbox').fill('lovel');
  await page.locator('.row-link').nth(1).waitFor({ state: 'detached' });
  await page.locator('.row-link').click();
  await page.locator('.session').first().waitFor();
  await page.locator('.event').first().waitFor();
  if (all && (look.name === 'light-wide' || look.name === 'dark-narrow')) await camera.take('admin-user');
  await page.goto(`${origin}/admin/state`);
  await page.locator('.chart canvas').waitFor();
  if (wide) await camera.take('admin-system', true);
  if (!all || look.name !== 'light-wide') return;
  await page.goto(`${origin}/admin/log`);
  await page.locator('.event').first().waitFor();
  await page.locator('.filters summary').click();
  await camera.take('admin-log');
  await page.goto(`${origin}/admin/applications`);
  await page.locator('.application').first().waitFor();
  await page.locator('.everyone button').click();
  await page.locator('.number-to-type').waitFor();
  await camera.take('admin-everyone');
}
