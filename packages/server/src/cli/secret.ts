import { randomBytes } from 'node:crypto';
import type { ReadStream } from 'node:tty';
import { decodeUtf8 } from '../domain/unicode.ts';
import { CommandRefused, UsageError } from './declare.ts';
import type { Streams } from './terminal.ts';

/** Longer than any passphrase that the server accepts. */
const MAX_BYTES = 8192;

/** 120 bits, as the server makes them. */
export function generatePassword(): string {
  return randomBytes(15).toString('base64url');
}

/**
 * Reads a new password that appears in no argument and no history: twice without echo on a terminal, else the first line of
 * standard input.
 */
export async function readNewPassword({ stdin, stderr }: Streams): Promise<string> {
  if (!isTerminal(stdin)) return readPiped(stdin);
  const [first = '', again = ''] = await askHidden(
    ['New password: ', 'Repeat the password: '],
    stdin,
    stderr,
  );
  if (first !== again) throw new CommandRefused('the two passwords differ. Nothing was changed.');
  return readable(first);
}

/** Reads an existing password: once without echo, else the first line of standard input. */
export async function readPassword({ stdin, stderr }: Streams): Promise<string> {
  if (!isTerminal(stdin)) return readPiped(stdin);
  const [given = ''] = await askHidden(['Password: '], stdin, stderr);
  return readable(given);
}

type Keyboard = Streams['stdin'] & Pick<ReadStream, 'setRawMode'>;
const isTerminal = (stdin: Streams['stdin']): stdin is Keyboard => stdin.isTTY === true;

/** A terminal without UTF-8 sends bytes that decode to U+FFFD, which would make one password of many. */
function readable(typed: string): string {
  if (typed.includes('\ufffd')) throw new UsageError('the password is not UTF-8. Set the terminal to UTF-8.');
  return typed;
}

export async function readPiped(input: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of input) {
    const bytes = Buffer.from(chunk as Buffer | string);
    size += bytes.length;
    if (size > MAX_BYTES) throw new UsageError('the password on standard input is too long.');
    chunks.push(bytes);
  }
  // Decoded as a whole: a character may be split between two chunks.
  const text = decodeUtf8(Buffer.concat(chunks));
  if (text === null) throw new UsageError('the password on standard input is not UTF-8.');
  const password = text.split(/\r?\n/, 1)[0] ?? '';
  if (password === '')
    throw new UsageError('no password on standard input. Pipe a password in, or use --generate.');
  return password;
}

/** Asks questions one after another without echo. */
export async function askHidden(
  questions: string[],
  input: Keyboard,
  output: { write(text: string): unknown },
): Promise<string[]> {
  const answers: string[] = [];
  let typed: string[] = [];
  input.setRawMode(true);
  input.setEncoding('utf8');
  output.write(questions[0] ?? '');
  try {
    await new Promise<void>((resolve, reject) => {
      const onEnd = (): void => {
        input.off('data', onData);
        reject(new CommandRefused('not confirmed. Nothing was changed.'));
      };
      const onData = (chunk: string | Buffer): void => {
        for (const char of String(chunk)) {
          if (char === '\r' || char === '\n') {
            answers.push(typed.join(''));
            typed = [];
            output.write('\n');
            if (answers.length === questions.length) {
              input.off('data', onData);
              input.off('end', onEnd);
              resolve();
              return;
            }
            output.write(questions[answers.length] ?? '');
          } else if (char === '\u0003' || char === '\u0004') {
            output.write('\n');
            input.off('end', onEnd);
            onEnd();
            return;
          } else if (char === '\u007f' || char === '\b') typed.pop();
          else if (char === '\u0015') typed = [];
          else if (char >= ' ') typed.push(char);
        }
      };
      input.on('data', onData);
      input.on('end', onEnd);
      input.resume();
    });
  } finally {
    input.setRawMode(false);
    input.pause();
  }
  return answers;
}
