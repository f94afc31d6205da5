import type { Environment } from '../config.ts';
import type { Terminal } from './terminal.ts';

/** Exit codes, for scripts. */
export const EXIT = { done: 0, failed: 1, usage: 2, refused: 3 } as const;

export const EXIT_MEANINGS: Record<keyof typeof EXIT, string> = {
  done: 'done',
  failed: 'failed: standard error says why',
  usage: 'usage error: an unknown command, option or argument',
  refused: 'refused: no such user or session, a value in use or too short, or not confirmed',
};

/** The command line is invalid. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** Valid, and not done: the object does not exist, or was not confirmed. */
export class CommandRefused extends Error {
  override name = 'Refused';
}

/** An expected failure; its sentence is enough. */
export class Failed extends Error {
  override name = 'Failed';
}

export interface Option {
  /** The placeholder of the value in the help; an option without one is a switch. */
  value?: string;
  about: string;
  /** Its old name, which is still understood. */
  was?: string;
}

export interface Operand {
  name: string;
  about: string;
  /** One or more of them. */
  many?: boolean;
}

/** A command: help and docs/cli.md are written from this. */
export interface Command {
  /** The words that call it: `user add`. */
  words: string;
  summary: string;
  /** Paragraphs. */
  description?: string[];
  operands?: Operand[];
  options?: Record<string, Option>;
  /** Works on the running server or on the database; takes --url. */
  anywhere?: boolean;
  examples: string[];
  run(line: CommandLine): Promise<number>;
}

export const JSON_OPTION: Option = {
  about: 'Print the answer as JSON on standard output. Everything else goes to standard error.',
};
export const HELP_OPTION: Option = { about: 'Show this help.' };
const URL_OPTION: Option = {
  value: 'ADDRESS',
  about:
    'Talk to the server at this address, with CURFEW_SERVICE_KEY from the environment. Or set CURFEW_URL.',
};

/** Every option of a command, the common ones last. */
export function optionsOf(command: Command): Record<string, Option> {
  return {
    ...command.options,
    ...(command.anywhere ? { url: URL_OPTION } : {}),
    json: JSON_OPTION,
    help: HELP_OPTION,
  };
}

/** The arguments given to a command. */
export class CommandLine {
  readonly environment: Environment;
  readonly terminal: Terminal;
  readonly operands: string[];
  readonly #values: Record<string, string | boolean | undefined>;

  constructor(given: {
    environment: Environment;
    terminal: Terminal;
    operands: string[];
    values: Record<string, string | boolean | undefined>;
  }) {
    this.environment = given.environment;
    this.terminal = given.terminal;
    this.operands = given.operands;
    this.#values = given.values;
  }

  /** The one operand of a command that takes one. */
  get operand(): string {
    return this.operands[0] ?? '';
  }

  flag(name: string): boolean {
    return this.#values[name] === true;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === 'string' ? value : undefined;
  }

  /** @throws UsageError when the value is not a whole number in the range */
  integer(name: string, min: number, max: number = Number.MAX_SAFE_INTEGER): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max)
      throw new UsageError(
        `--${name} takes a whole number ${max === Number.MAX_SAFE_INTEGER ? `from ${min}` : `from ${min} to ${max}`}.`,
      );
    return value;
  }
}
