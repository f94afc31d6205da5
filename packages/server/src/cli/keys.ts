import type { SigningKey } from '@curfew/protocol/wire/signing-key';
import { type Command, type CommandLine, EXIT } from './declare.ts';
import { withOperator } from './reach.ts';
import { table } from './terminal.ts';

const list: Command = {
  words: 'keys list',
  summary: 'List the signing keys and their states',
  description: [
    'published: verifiers know the key, and it signs later. signing: it signs now. kept: it no longer signs, but its tokens are still valid. retired: it is about to be removed.',
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
  summary: 'Create new signing keys',
  description: [
    'The new keys are published now and sign after CURFEW_KEY_PUBLISH_SECONDS. The old keys are kept until no token that they signed can be valid. Nobody is logged out.',
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
  line.terminal.answer({ keys }, table(['KEY', 'ALGORITHM', 'STATE', 'CREATED', 'SIGNS FROM'], rows));
}
