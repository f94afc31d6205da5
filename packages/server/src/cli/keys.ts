import type { SigningKey } from '@curfew/protocol/wire/signing-key';
import { type Command, type CommandLine, EXIT } from './declare.ts';
import { withOperator } from './reach.ts';
import { table } from './terminal.ts';

const list: Command = {
  words: 'keys list',
  summary: 'The signing keys and what each is for now',
  description: [
    'published: known to verifiers, signs later. signing: signs now. kept: signs no more, its tokens are still good. retired: about to be removed.',
  ],
  anywhere: true,
  examples: ['curfew keys list'],
  run: (line) =>
    withOperator(line, async (operator) => {
      show(line, await operator.keys());
      return EXIT.done;
    }),
};

const rotate: Command = {
  words: 'keys rotate',
  summary: 'Make new signing keys',
  description: [
    'They are published now and sign after CURFEW_KEY_PUBLISH_SECONDS; the old ones are kept until nothing they signed can be valid. Nobody is logged out.',
  ],
  anywhere: true,
  examples: ['curfew keys rotate'],
  run: (line) =>
    withOperator(line, async (operator) => {
      show(line, await operator.rotateKeys());
      return EXIT.done;
    }),
};

export const keyCommands: Command[] = [list, rotate];

function show(line: CommandLine, keys: SigningKey[]): void {
  const rows = keys.map((key) => [key.kid, key.alg, key.state, key.created_at, key.signs_from]);
  line.terminal.answer({ keys }, table(['KEY', 'ALGORITHM', 'STATE', 'MADE', 'SIGNS FROM'], rows));
}
