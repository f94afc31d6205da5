import { parseArgs } from 'node:util';
import type { Environment } from '../config.ts';
import { COMMANDS } from './commands.ts';
import { type Command, CommandLine, EXIT, optionsOf, UsageError } from './declare.ts';
import { renderHelp, renderOverview, usageOf } from './help.ts';
import { openTerminal, type Streams } from './terminal.ts';

/**
 * Runs the command of the arguments.
 * @returns the exit code
 */
export async function runCommand(
  args: string[],
  environment: Environment,
  streams: Streams,
): Promise<number> {
  try {
    return await dispatch(args, environment, streams);
  } catch (error) {
    // Imported only now: it knows the errors of every database.
    const { explain } = await import('./explain.ts');
    const { code, sentence } = explain(error);
    streams.stderr.write(`curfew: ${sentence}\n`);
    return code;
  }
}

async function dispatch(args: string[], environment: Environment, streams: Streams): Promise<number> {
  const [first] = args;
  if (first === undefined) {
    streams.stderr.write(`${renderOverview(COMMANDS)}\n`);
    return EXIT.usage;
  }
  if (first === 'help' || first === '--help' || first === '-h') return showHelp(args.slice(1), streams);
  if (first === '--version') return dispatch(['version', ...args.slice(1)], environment, streams);

  const command = findCommand(args);
  if (!command) return unknown(args, streams);
  const rest = args.slice(command.words.split(' ').length);
  if (rest.some((arg) => arg === '--help' || arg === '-h'))
    return showHelp(command.words.split(' '), streams);
  return command.run(parse(command, rest, environment, streams));
}

function findCommand(args: string[]): Command | undefined {
  return COMMANDS.find(({ words }) => words.split(' ').every((word, index) => args[index] === word));
}

const belowWord = (word: string | undefined): Command[] =>
  COMMANDS.filter(({ words }) => words.startsWith(`${word} `));

function showHelp(about: string[], streams: Streams): number {
  const words = about.filter((word) => !word.startsWith('-'));
  const command = findCommand(words);
  const below = belowWord(words[0]);
  if (words.length > 0 && !command && below.length === 0) return unknown(words, streams);
  const text = command ? renderHelp(command) : renderOverview(below.length > 0 ? below : COMMANDS);
  streams.stdout.write(`${text}\n`);
  return EXIT.done;
}

/** @throws UsageError */
function unknown(args: string[], streams: Streams): number {
  const below = belowWord(args[0]);
  if (below.length === 0) throw new UsageError(`no such command: ${args[0]}. See: curfew help`);
  if (args[1] === '--help' || args[1] === '-h') return showHelp(args.slice(0, 1), streams);
  const known = below.map(({ words }) => words).join(', ');
  throw new UsageError(`specify one of ${known}. See: curfew help ${args[0]}`);
}

/** @throws UsageError */
function parse(command: Command, args: string[], environment: Environment, streams: Streams): CommandLine {
  const options = optionsOf(command);
  const see = `See: curfew ${command.words} --help`;
  let parsed: { values: Record<string, unknown>; positionals: string[] };
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: Object.fromEntries(
        Object.entries(options).flatMap(([name, { value, was }]) => {
          const taken = { type: value === undefined ? 'boolean' : 'string' } as const;
          return [[name, taken], ...(was === undefined ? [] : [[was, taken]])];
        }),
      ),
    });
  } catch (error) {
    // The first sentence names the option; the rest is advice that does not fit here.
    const said = error instanceof Error ? (error.message.split(/\.\s/, 1)[0] ?? '') : String(error);
    throw new UsageError(`${said.charAt(0).toLowerCase()}${said.slice(1).replace(/\.$/, '')}. ${see}`);
  }
  const { positionals: operands } = parsed;
  const wanted = command.operands ?? [];
  const most = wanted.some(({ many }) => many) ? Number.POSITIVE_INFINITY : wanted.length;
  // Surplus arguments are not repeated: one may be a password.
  if (operands.length < wanted.length || operands.length > most)
    throw new UsageError(`usage: ${usageOf(command)}`);
  const terminal = openTerminal(streams, parsed.values['json'] === true);
  const values = parsed.values as Record<string, string | boolean | undefined>;
  for (const [name, { was }] of Object.entries(options)) {
    if (was === undefined || values[was] === undefined) continue;
    if (values[name] !== undefined)
      throw new UsageError(`--${was} is the old name of --${name}: specify only one of them.`);
    terminal.note(`--${was} is the old name of --${name}. Use --${name}.`);
    values[name] = values[was];
  }
  return new CommandLine({ environment, operands, values, terminal });
}
