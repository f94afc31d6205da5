/** The login page in a browser: with a script and without, and the size of its script. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hasChromium, openBrowser } from '../../packages/server/test/services/browser.ts';
import { variants } from '../../packages/server/test/services/budget.ts';
import { readBuilt } from '../../packages/server/src/http/pages/built.ts';
import { SERVICE_KEY } from '../../packages/server/test/support.ts';
import {
  anew,
  besidesTheLine,
  logIn,
  openSite,
  NEW_PASSWORD,
  PASSWORD,
  ready,
  type Site,
  USER,
  visit,
  type Visitor,
} from './site.ts';

/** Compressed, in bytes. */
const PEOPLE_AT_MOST = 60 * 1024;
const ADMINISTRATION_AT_MOST = 150 * 1024;

describe.skipIf(!hasChromium())('the login page', () => {
  let site: Site;
  let browser: Browser;
  let mine: Visitor;
  let withoutScript: Visitor;
  beforeAll(async () => {
    [site, browser] = await Promise.all([openSite(), openBrowser()]);
    mine = await visit(browser, { colorScheme: 'light' });
    withoutScript = await visit(browser, { javaScriptEnabled: false, locale: 'pl-PL' });
  });
  beforeEach(() => anew(mine));
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  test('goes where the visitor wanted to go, and shows errors without leaving', async () => {
    const { page, complaints } = mine;
    await page.goto(`${site.origin}/login?reason=administrator&next=/devices%3Ffrom%3Dmail`);
    await ready(page);
    await page.getByText('An administrator logged you out.').waitFor();
    // Begin to type at once: the field has the focus.
    await page.keyboard.type(USER);
    await page.keyboard.press('Tab');
    await page.keyboard.type('wrong');
    await page.keyboard.press('Enter');
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await alert.textContent()).toBe('Wrong e-mail address or password.');
    const password = page.getByLabel('Password', { exact: true });
    // The field at fault is selected and described, and the address is kept.
    expect(await password.evaluate((field) => field === document.activeElement)).toBe(true);
    expect(await password.getAttribute('aria-describedby')).toBe(await alert.getAttribute('id'));
    expect(await page.getByLabel('E-mail address').inputValue()).toBe(USER);
    await page.keyboard.type(PASSWORD);
    await page.getByLabel('Show password').check();
    expect([await password.inputValue(), await password.getAttribute('type')]).toEqual([PASSWORD, 'text']);
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${site.origin}/devices?from=mail`);
    await page.getByRole('heading', { name: 'My devices' }).waitFor();
    expect(complaints).toEqual([]);
  });

  test('works without a script: login, pages, logout', async () => {
    const { page, context, complaints } = withoutScript;
    await page.goto(`${site.origin}/login?next=/devices`);
    await page.getByLabel('Adres e-mail').fill(USER);
    await page.getByLabel('Hasło').fill('wrong');
    await page.getByRole('button', { name: 'Zaloguj się' }).click();
    expect(await page.getByRole('alert').textContent()).toBe('Nieprawidłowy adres e-mail lub hasło.');
    await page.getByLabel('Hasło').fill(PASSWORD);
    await page.getByRole('button', { name: 'Zaloguj się' }).click();
    await page.waitForURL(`${site.origin}/devices`);
    await page.getByText('Ta strona wymaga JavaScriptu.').waitFor();
    await page.getByRole('link', { name: 'Wyloguj się' }).click();
    await page.waitForURL(`${site.origin}/logout`);
    await page.getByRole('button', { name: 'Wyloguj się' }).click();
    await page.waitForURL(`${site.origin}/login?reason=you`);
    await page.getByText('Wylogowano.').waitFor();
    expect(await context.cookies()).toEqual([]);
    expect(complaints).toEqual([]);
  });

  test.each([true, false])(
    'an address may have letters of any language, with a script (%s)',
    async (javaScriptEnabled) => {
      const email = `zażółć-${javaScriptEnabled}@gęśla.example`;
      const body = { email, password: NEW_PASSWORD, name: 'Zażółć' };
      expect((await site.call('POST', '/v1/admin/users', { bearer: SERVICE_KEY, body })).status).toBe(201);
      const { page, context, complaints } = javaScriptEnabled ? mine : withoutScript;
      await context.clearCookies();
      await page.goto(`${site.origin}/login`);
      if (javaScriptEnabled) await ready(page);
      await page.fill('[name=email]', email);
      await page.fill('[name=password]', NEW_PASSWORD);
      await page.click('button[type=submit]');
      await page.waitForURL(`${site.origin}/devices`);
      expect(complaints).toEqual([]);
    },
  );

  test('the server renders the same form as the script, element for element, in each language', {
    tags: 'long',
  }, async () => {
    const { page } = mine;
    const elements = `${site.origin}/pages/curfew-elements.js`;
    for (const language of variants(['pl', 'en', 'vi', 'zh'])) {
      await page.goto(`${site.origin}/login?lang=${language}`);
      await page.addScriptTag({ type: 'module', url: elements });
      // Rendered from nothing by the element; the page itself hydrates the server's HTML.
      const [byScript, byServer] = await page.evaluate(async () => {
        const element = document.createElement('curfew-login');
        element.setAttribute('autofocus', '');
        document.body.append(element);
        while (!element.shadowRoot?.querySelector('.check'))
          await new Promise((resolve) => setTimeout(resolve, 10));
        const plain = (root: ParentNode): string[] =>
          [...root.querySelectorAll('*')].map((one) => {
            const attributes = [...one.attributes]
              .map(({ name, value }) => `${name}=${value}`)
              .filter((text) => text !== 'value=')
              .sort();
            const own = [...one.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
            return [one.localName, ...attributes, own.map((node) => node.textContent).join('')].join(' | ');
          });
        // As it came: no script has run in this one.
        const html = await (await fetch(location.href)).text();
        const written = new DOMParser().parseFromString(html, 'text/html').querySelector('#page') as Element;
        // This one comes with the script.
        element.shadowRoot.querySelector('.check')?.remove();
        return [plain(element.shadowRoot), plain(written)] as const;
      });
      expect(byScript).toEqual(byServer);
      expect(byServer.length).toBeGreaterThan(8);
    }
  });

  test('input from before the script started is kept', async () => {
    const { page, complaints } = mine;
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await page.route('**/en-people-*.js', async (route) => {
      await held;
      await route.continue();
    });
    await page.goto(`${site.origin}/login`);
    await page.getByLabel('E-mail address').fill(USER);
    release();
    await ready(page);
    expect(await page.getByLabel('E-mail address').inputValue()).toBe(USER);
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.waitForURL(`${site.origin}/devices`);
    expect(complaints).toEqual([]);
  });

  test('says when the server cannot be reached', async () => {
    const { page, context, complaints } = mine;
    await page.goto(`${site.origin}/login`);
    await ready(page);
    await page.getByLabel('E-mail address').fill(USER);
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await context.setOffline(true);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText('The server cannot be reached.').waitFor();
    await context.setOffline(false);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.waitForURL(`${site.origin}/devices`);
    expect(besidesTheLine(complaints)).toEqual([]);
  });

  test('keeps the chosen language and colours', async () => {
    const { page, complaints } = mine;
    await page.goto(`${site.origin}/login?next=/devices`);
    await page.getByRole('link', { name: 'Tiếng Việt' }).click();
    await page.getByRole('heading', { name: 'Đăng nhập' }).waitFor();
    await ready(page);
    await page.getByRole('radio', { name: 'Tối' }).check();
    const ground = (): Promise<string> =>
      page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await ground();
    await logIn(page, site.origin);
    await page.getByRole('heading', { name: 'Thiết bị của tôi' }).waitFor();
    expect(await ground()).toBe(dark);
    expect(await page.locator('html').getAttribute('lang')).toBe('vi');
    expect(complaints).toEqual([]);
  });
});

test('scripts are small: users’ pages under 60 KB, the administration under 150 KB', () => {
  const built = readBuilt();
  if (!built) throw new Error('the pages were not built');
  const weigh = (...names: string[]): number => {
    const files = new Set(
      names.flatMap((name) => {
        const page = built.pages[name];
        return page ? [page.script, ...page.modules] : [];
      }),
    );
    return [...files].reduce(
      (sum, file) => sum + (built.content.get(file)?.coded.get('gzip')?.length ?? Infinity),
      0,
    );
  };
  const people = weigh('login', 'devices');
  expect(people).toBeGreaterThan(5000);
  expect(people).toBeLessThan(PEOPLE_AT_MOST);
  expect(weigh('administration')).toBeLessThan(ADMINISTRATION_AT_MOST);
});
