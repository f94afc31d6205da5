import { COMMAND_SETTINGS } from '../command-settings.ts';
import { COMMANDS } from './commands.ts';
import { type Command, EXIT, EXIT_MEANINGS, HELP_OPTION, JSON_OPTION } from './declare.ts';
import { ABOUT, flagOf, usageOf } from './help.ts';

/** docs/cli.md: the help of every command as one page. */
export function renderCommandReference(): string {
  const names = Object.keys(EXIT) as (keyof typeof EXIT)[];
  return [
    '# Commands',
    '',
    '<!-- Written by `npm run docs` from packages/server/src/cli. Change it there. -->',
    '',
    'From a checkout: `npm run curfew -- COMMAND`. Installed, and in the image: `curfew COMMAND`.',
    '',
    ABOUT,
    '',
    'A logout by a command takes the same path as a logout by the API: Curfew commits it, tells the other processes and waits for them. The log names `operator` as the actor, or the API key if the command called a server.',
    '',
    '| command | what it does |',
    '| --- | --- |',
    ...COMMANDS.map(({ words, summary }) => `| [\`${words}\`](#curfew-${anchor(words)}) | ${summary} |`),
    '',
    'Every command takes these:',
    '',
    `- \`--json\`: ${JSON_OPTION.about}`,
    `- \`--help\`: ${HELP_OPTION.about}`,
    '',
    '## Exit codes',
    '',
    '| code | meaning |',
    '| --- | --- |',
    ...names.map((name) => `| ${EXIT[name]} | ${EXIT_MEANINGS[name]} |`),
    '',
    '## Settings for commands only',
    '',
    'Commands also read the [settings of the server](settings.md).',
    '',
    '| setting | what it is |',
    '| --- | --- |',
    ...Object.entries(COMMAND_SETTINGS).map(([name, { about }]) => `| \`${name}\` | ${about} |`),
    '',
    ...COMMANDS.flatMap(section),
  ].join('\n');
}

function section(command: Command): string[] {
  const rows = [
    ...(command.operands ?? []).map(({ name, about }) => [name, about]),
    ...Object.entries(command.options ?? {}).map(([name, option]) => [flagOf(name, option), option.about]),
    ...(command.anywhere ? [['--url ADDRESS', 'Talk to the server at this address.']] : []),
  ];
  return [
    `## curfew ${command.words}`,
    '',
    `${command.summary}.`,
    '',
    '```sh',
    usageOf(command),
    '```',
    ...(command.description ?? []).flatMap((text) => ['', text]),
    ...(rows.length === 0 ? [] : ['', '| | |', '| --- | --- |']),
    ...rows.map(([name = '', about = '']) => `| \`${name}\` | ${about} |`),
    '',
    '```sh',
    ...command.examples,
    '```',
    '',
  ];
}

const anchor = (words: string): string => words.replaceAll(' ', '-');
