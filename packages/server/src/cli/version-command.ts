import { type Command, EXIT } from './declare.ts';
import { programVersion } from './version.ts';

export const versionCommand: Command = {
  words: 'version',
  summary: 'Print the version of this program',
  examples: ['curfew version'],
  run: async ({ terminal }) => {
    const [curfew, node] = [programVersion(), process.versions.node];
    terminal.answer({ curfew, node }, `curfew ${curfew}, on Node ${node}`);
    return EXIT.done;
  },
};
