import { type Command, EXIT, EXIT_MEANINGS, type Option, optionsOf } from './declare.ts';

const WIDTH = 88;

export const ABOUT =
  'With --url, a command calls that server. If a running server has the embedded database open, the command calls that one. Otherwise it uses the database directly: PostgreSQL at DATABASE_URL, or the embedded database in CURFEW_DATA.';

/** `curfew help`. */
export function renderOverview(commands: readonly Command[]): string {
  const widest = Math.max(...commands.map(({ words }) => words.length));
  return [
    'Curfew, a session authority: login, refresh, and a logout that is true everywhere when it answers.',
    '',
    'Usage: curfew COMMAND [OPTIONS]',
    '',
    ...commands.map(({ words, summary }) => `  ${words.padEnd(widest)}  ${summary}`),
    '',
    ...wrap(ABOUT),
    '',
    'Every command takes --help and --json. Settings: docs/settings.md.',
    '',
    ...exitCodes(),
  ].join('\n');
}

/** `curfew COMMAND --help`. */
export function renderHelp(command: Command): string {
  const operands = command.operands ?? [];
  const options = Object.entries(optionsOf(command));
  return [
    `${command.summary}.`,
    '',
    `Usage: ${usageOf(command)}`,
    ...(command.description ?? []).flatMap((text) => ['', ...wrap(text)]),
    ...section(
      'Arguments',
      operands.map(({ name, about }) => [name, about]),
    ),
    ...section(
      'Options',
      options.map(([name, option]) => [flagOf(name, option), option.about]),
    ),
    '',
    'Examples:',
    ...command.examples.map((example) => `  ${example}`),
    '',
    ...exitCodes(),
  ].join('\n');
}

export function usageOf({ words, operands = [] }: Command): string {
  const names = operands.map(({ name, many }) => (many ? `${name}...` : name));
  return ['curfew', words, ...names, '[OPTIONS]'].join(' ');
}

export function flagOf(name: string, { value }: Option): string {
  return value === undefined ? `--${name}` : `--${name} ${value}`;
}

function exitCodes(): string[] {
  const names = Object.keys(EXIT) as (keyof typeof EXIT)[];
  return ['Exit codes:', ...names.map((name) => `  ${EXIT[name]}  ${EXIT_MEANINGS[name]}`)];
}

function section(title: string, rows: string[][]): string[] {
  if (rows.length === 0) return [];
  const widest = Math.max(...rows.map(([name = '']) => name.length));
  const lines = rows.flatMap(([name = '', about = '']) =>
    wrap(about, WIDTH - widest - 4).map(
      (line, index) => `  ${(index === 0 ? name : '').padEnd(widest)}  ${line}`,
    ),
  );
  return ['', `${title}:`, ...lines];
}

function wrap(text: string, width: number = WIDTH): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
