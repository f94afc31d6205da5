import { html, raw } from 'hono/html';
import { getCookie } from 'hono/cookie';
import { chooseLanguage } from '../../domain/language.ts';
import type { Call } from '../environment.ts';
import type { Built, PageTexts } from './built.ts';

/** Scripts, styles, images and connections of this origin only, nothing inline, no frames. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');

const LANGUAGE_COOKIE = 'curfew_language';
const THEME_COOKIE = 'curfew_theme';
const YEAR_SECONDS = 31_536_000;
const FALLBACK = 'en';

/** A request for a page: the build, and the language of the answer. */
export interface PageCall {
  c: Call;
  built: Built;
  language: string;
  texts: PageTexts;
}

/** The language: from the address (`?lang=`, which is kept), an earlier choice, the browser, or English. */
export function pageCall(c: Call, built: Built): PageCall {
  const names = Object.keys(built.languages);
  const asked = c.req.query('lang');
  const language =
    chooseLanguage(names, [asked, getCookie(c, LANGUAGE_COOKIE)], c.req.header('accept-language')) ??
    FALLBACK;
  if (asked !== undefined && asked.toLowerCase() === language) {
    const secure = c.get('world').config.cookie.secure ? '; Secure' : '';
    const cookie = `${LANGUAGE_COOKIE}=${language}; Path=/; Max-Age=${YEAR_SECONDS}; HttpOnly; SameSite=Lax${secure}`;
    c.header('set-cookie', cookie, { append: true });
  }
  const texts = built.languages[language]?.texts;
  if (!texts) throw new Error(`the built pages have no language ${language}`);
  return { c, built, language, texts };
}

export type Markup = ReturnType<typeof html>;

interface PageParts {
  /** The script to run; pages that are complete without one need none. */
  script: string | null;
  title: string;
  /** The content of `#page`. */
  content: Markup;
  /** Data for the script, as JSON. */
  state?: Record<string, unknown>;
  /** Parameters of the address to keep when the language changes. */
  keep?: Record<string, string | null>;
  width?: 'narrow' | 'wide' | 'full';
}

/** Returns a whole page. */
export async function sendPage(
  call: PageCall,
  page: PageParts,
  status: 200 | 400 | 401 | 403 | 429 | 503 = 200,
): Promise<Response> {
  const { c, built, texts } = call;
  c.header('content-security-policy', POLICY);
  // Curfew's own forms send their origin ("no-referrer" would make it null); others get none.
  c.header('referrer-policy', 'same-origin');
  c.header('content-language', texts.tag);
  const files = (page.script === null ? undefined : built.pages[page.script]) ?? built.page;
  const slice = page.script === null ? undefined : built.slices[page.script];
  const textsFile = slice === undefined ? undefined : built.languages[call.language]?.files[slice];
  const address = (file: string): string => addressIn(c, `/pages/${file}`);
  const theme = getCookie(c, THEME_COOKIE);
  const known = theme === 'light' || theme === 'dark' ? raw(` data-theme="${theme}"`) : '';
  const state = {
    ...page.state,
    base: addressIn(c, '') || undefined,
    texts: textsFile === undefined ? null : address(textsFile),
  };
  const { page: words } = texts;
  const document = html`<!doctype html>
<html lang="${texts.tag}"${known}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${page.title} · Curfew</title>
<link rel="icon" type="image/svg+xml" href="${address(built.icon)}">
${files.styles.map((file) => html`<link rel="stylesheet" href="${address(file)}">\n`)}
${[...(textsFile === undefined ? [] : [textsFile]), ...files.modules].map((file) => html`<link rel="modulepreload" href="${address(file)}">\n`)}
<script type="module" src="${address(files.script)}"></script>
</head>
<body>
<a class="skip" href="#page">${words.skip}</a>
<header class="top"><a class="brand" href="${addressIn(c, '/')}">${MARK}<span>Curfew</span></a><div id="account"></div></header>
<main id="page" class="${page.width ?? 'narrow'}" tabindex="-1">${page.content}</main>
<footer class="foot">${languageLinks(call, page.keep ?? {})}${themeSwitch(texts)}</footer>
<script type="application/json" id="state">${raw(jsonInHtml(state))}</script>
</body>
</html>
`;
  return c.html(await document, status);
}

/** The address of a path of the authority, as browsers see it. */
export const addressIn = (c: Call, path: string): string => c.get('world').config.publicPath + path;

const MARK = raw(
  '<svg class="mark" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true"><rect width="32" height="32" rx="8"/><path d="M20.8 20.9A8 8 0 0 1 13 8.6a8 8 0 1 0 10.2 10.6 8 8 0 0 1-2.4 1.7z"/></svg>',
);

function languageLinks({ built, language, texts }: PageCall, keep: Record<string, string | null>): Markup {
  const links = Object.entries(built.languages).map(([name, { texts: own }]) => {
    if (name === language)
      return html`<li><span aria-current="true" lang="${own.tag}">${own.name}</span></li>`;
    const query = new URLSearchParams({ lang: name });
    for (const [key, value] of Object.entries(keep)) if (value !== null) query.set(key, value);
    return html`<li><a href="?${query.toString()}" lang="${own.tag}" hreflang="${own.tag}">${own.name}</a></li>`;
  });
  return html`<nav aria-label="${texts.page.language}"><ul class="languages">${links}</ul></nav>`;
}

/** Useful with a script only, which shows it. */
function themeSwitch({ page }: PageTexts): Markup {
  const choices = [
    ['', page.themeSystem],
    ['light', page.themeLight],
    ['dark', page.themeDark],
  ] as const;
  return html`<fieldset id="theme" class="segments" hidden><legend class="unseen">${page.theme}</legend>${choices.map(
    ([value, label]) =>
      html`<label><input type="radio" name="theme" value="${value}"><span>${label}</span></label>`,
  )}</fieldset>`;
}

/** JSON that cannot end its element. */
function jsonInHtml(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

/** Markup without line breaks between elements, as Preact renders it. Inserted values contain no `<`. */
export async function compact(markup: Markup): Promise<Markup> {
  return raw(
    String(await markup)
      .replace(/>\s+</g, '><')
      .trim(),
  );
}
