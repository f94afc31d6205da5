import { SETTING_GROUPS } from '../../packages/server/src/settings.ts';
import type { Setting } from '../../packages/server/src/system/setting-forms.ts';
import { optionOf } from '../../packages/server/src/setting-options.ts';
import { sentenceOf } from '../../packages/server/src/system/setting-forms.ts';

/** `docs/settings.md`, from the table of settings. */
export function settingsPage(): string {
  const sections = Object.entries(SETTING_GROUPS).map(([title, settings]) =>
    [
      `## ${title}`,
      '',
      ...Object.entries<Setting>(settings).map(([name, setting]) => entry(name, setting)),
    ].join('\n'),
  );
  return [
    '# Settings',
    '',
    '<!-- Written by `npm run docs` from packages/server/src/settings.ts. -->',
    '',
    "Environment variables; or, for `createAuthority`, options: `createAuthority({ basePath: '/auth', port: 8000 })`, or",
    'texts by the names of the variables: `createAuthority({ settings: process.env })`. They are read once, at',
    'the start. A value that cannot be read or would be unsafe stops the start with a sentence that says what would be',
    'safe, and so does a `CURFEW_…` that is not listed here. An empty variable counts as not set. `curfew doctor` looks',
    'at all of them and says what is wrong.',
    '',
    ...sections,
  ].join('\n');
}

function entry(name: string, { form, about }: Setting): string {
  const says = sentenceOf(form);
  const takes =
    says === null
      ? 'Text'
      : says
          .replace(/^must be |^must have /, '')
          .replace(/^[a-z](?!\w*:\/\/)/, (letter) => letter.toUpperCase());
  const facts = [takes, `default ${defaultOf(form.safeParse(undefined).data)}`];
  return `### \`${name}\`\n\nOption \`${optionOf(name)}\`. ${facts.join('; ')}.\n\n${about}\n`;
}

/** The default as a person would write it. */
function defaultOf(value: unknown): string {
  if (value === true || value === false) return value ? '`1`' : '`0`';
  if (Array.isArray(value) && value.length > 0) return `\`${value.join(',')}\``;
  return (typeof value === 'string' && value !== '') || typeof value === 'number'
    ? `\`${value}\``
    : 'not set';
}
