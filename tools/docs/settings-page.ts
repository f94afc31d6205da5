import { SETTINGS } from '../../packages/server/src/config.ts';
import { sentenceOf } from '../../packages/server/src/system/setting-forms.ts';

const GROUPS: [title: string, names: RegExp][] = [
  ['The process', /^(HOST|PORT|CURFEW_MAX_HEADER_BYTES|NODE_ENV|LOG_LEVEL)$/],
  ['Pages', /^CURFEW_PAGES$/],
  [
    'Data',
    /^(DATABASE_URL|REDIS_URL|CURFEW_(DATABASE|STATEMENT|DATA|EMBEDDED|DEMO|CACHE|PLACES|RETENTION|EVENTS_RETENTION|AUDIT_RETENTION).*)$/,
  ],
  ['Who it is, and who may call', /^CURFEW_(ISSUER|AUDIENCE|KEY|SERVICE_KEYS|APPLICATIONS|TRUSTED_.*)$/],
  ['Lifetimes and keys', /^CURFEW_(IDLE|ABSOLUTE|ACCESS|OPAQUE|REFRESH|LEASE|KEY)_.*$/],
  ['The cookie', /^CURFEW_(COOKIE_.*|CLEAR_SITE_DATA)$/],
  ['Passwords and logins', /^CURFEW_(HASH|LOGIN|PASSWORD|CONFIRM)_.*$/],
  ['Notices to devices', /^CURFEW_NOTICES_.*$/],
];

/** `docs/settings.md`, from the table of settings. */
export function settingsPage(): string {
  const left = new Set(Object.keys(SETTINGS));
  const sections = GROUPS.map(([title, names]) => {
    const mine = [...left].filter((name) => names.test(name));
    for (const name of mine) left.delete(name);
    return [`## ${title}`, '', ...mine.map(entry)].join('\n');
  });
  if (left.size > 0) throw new Error(`no group of settings takes ${[...left].join(', ')}`);
  return [
    '# Settings',
    '',
    '<!-- Written by `npm run docs` from packages/server/src/config.ts. -->',
    '',
    'Environment variables; or, for `createAuthority({ settings })`, strings by the same names. They are read once, at',
    'the start. A value that cannot be read or would be unsafe stops the start with a sentence that says what would be',
    'safe, and so does a `CURFEW_…` that is not listed here. An empty variable counts as not set. `curfew doctor` looks',
    'at all of them and says what is wrong.',
    '',
    ...sections,
  ].join('\n');
}

function entry(name: string): string {
  const { form, about } = SETTINGS[name as keyof typeof SETTINGS];
  const says = sentenceOf(form);
  const takes =
    says === null
      ? 'Text'
      : says
          .replace(/^must be |^must have /, '')
          .replace(/^[a-z](?!\w*:\/\/)/, (letter) => letter.toUpperCase());
  const facts = [takes, `default ${defaultOf(form.safeParse(undefined).data)}`];
  return `### \`${name}\`\n\n${facts.join('; ')}.\n\n${about}\n`;
}

/** The default as it would be written. */
function defaultOf(value: unknown): string {
  if (value === true || value === false) return value ? '`1`' : '`0`';
  if (Array.isArray(value) && value.length > 0) return `\`${value.join(',')}\``;
  return typeof value === 'string' || typeof value === 'number' ? `\`${value}\`` : 'not set';
}
