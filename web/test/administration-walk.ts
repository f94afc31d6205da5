/** The common part of the administration's look tests: data to see, and a walk through all of it. */
import type { Page } from 'playwright-core';
import { SERVICE_KEY } from '../../packages/server/test/support.ts';
import { ADMIN, goOn, logIn, type Site } from './site.ts';

/** Users, sessions, a logout: so that no page is empty. */
export async function furnish(site: Site): Promise<void> {
  const start = (): Promise<{ json: { access_token: string } }> =>
    site.call('POST', '/v1/admin/sessions', { bearer: SERVICE_KEY, body: { user_id: 2 } });
  const [{ json }] = await Promise.all([start(), start(), start()]);
  await site.call('POST', '/v1/logout', { bearer: json.access_token });
  await site.call('POST', '/v1/admin/users', {
    bearer: SERVICE_KEY,
    body: { email: `${'w'.repeat(60)}@example.com`, name: 'W'.repeat(200) },
  });
  await site.call('PATCH', '/v1/admin/users/3', { bearer: SERVICE_KEY, body: { disabled: true } });
}

/** Walks through the pages and their dialogs, and stops at each. */
export async function walk(site: Site, page: Page, at: (where: string) => Promise<void>): Promise<void> {
  const escape = async (): Promise<void> => {
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  };
  await logIn(page, site.origin, ADMIN, '/admin');
  await page.locator('.row-link').nth(2).waitFor();
  await at('users');
  await page.getByRole('searchbox').fill('nobody at all');
  await page.locator('.row-link').first().waitFor({ state: 'detached' });
  await at('nobody found');
  await goOn(page, '/admin/users/3');
  await page.locator('.badge.bad').waitFor();
  await at('a disabled user');
  await goOn(page, '/admin/users/2');
  await page.locator('.session').first().waitFor();
  await page.locator('.event').first().waitFor();
  await page.locator('.session input').first().check();
  await page.locator('.ended summary').click();
  await page.locator('.session.over').first().waitFor();
  await at('a user');
  for (const button of ['.two aside button >> nth=0', '.two aside button >> nth=1', '.choices .bad']) {
    await page.locator(button).click();
    await page.getByRole('dialog').waitFor();
    await at(`asking, ${button}`);
    await escape();
  }
  await goOn(page, '/admin/applications');
  await page.locator('.application').first().waitFor();
  await at('applications');
  await page.locator('.everyone button').click();
  await page.locator('.number-to-type').waitFor();
  await at('everyone');
  await escape();
  await goOn(page, '/admin/log');
  await page.locator('.event').first().waitFor();
  await page.locator('.filters summary').click();
  await at('the log');
  await goOn(page, '/admin/state');
  await page.locator('.chart canvas').waitFor();
  await at('the state');
  await goOn(page, '/admin/nowhere');
  await page.locator('.chart').waitFor({ state: 'detached' });
  await page.locator('.section h1').waitFor();
  await at('nowhere');
}

/** The browser itself notes the answer that asks for the number of sessions. */
export function besidesTheQuestion(complaints: readonly string[]): string[] {
  return complaints.filter((one) => !/status of 409 /.test(one));
}
