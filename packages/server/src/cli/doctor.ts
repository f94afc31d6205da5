import { type Command, EXIT } from './declare.ts';
import type { Findings } from './doctor/findings.ts';
import { counted } from './terminal.ts';

const doctor: Command = {
  words: 'doctor',
  summary: 'Find out what is wrong with a configuration',
  description: [
    'The command checks every setting, the rules of production, PostgreSQL (reachable, version, schema, durability), Redis, the directory of the embedded database and the process that has it open, whether CURFEW_KEY decrypts the signing keys, the clock, whether CURFEW_CLIENTS says what the database says, and the port. It prints everything that it finds, not only the first problem, and changes nothing.',
    'With --url or CURFEW_URL it also checks that the server there answers and accepts the key in CURFEW_SERVICE_KEY, which needs the scope admin. With --url it checks nothing else.',
    'The exit code is 0 if a server can run with the configuration, and 1 if there is a problem. A warning is not a problem.',
  ],
  anywhere: true,
  examples: ['curfew doctor', 'NODE_ENV=production curfew doctor --json'],
  async run(line) {
    // Imported only now: the clients of PostgreSQL and Redis take as long to load as everything else.
    const [{ look }, { Findings: Empty }] = await Promise.all([
      import('./doctor/look.ts'),
      import('./doctor/findings.ts'),
    ]);
    const findings = new Empty();
    await look(line, findings);
    const { problems } = findings;
    line.terminal.answer({ ok: problems === 0, findings: findings.all }, report(findings));
    return problems === 0 ? EXIT.done : EXIT.failed;
  },
};

export const doctorCommands: Command[] = [doctor];

function report(findings: Findings): string {
  const widest = Math.max(...findings.all.map(({ about }) => about.length));
  const lines = findings.all.map(
    ({ state, about, sentence }) => `${state.padEnd(7)}  ${about.padEnd(widest)}  ${sentence}`,
  );
  const { problems } = findings;
  return [...lines, '', problems === 0 ? 'No problem found.' : `${counted(problems, 'problem')} found.`].join(
    '\n',
  );
}
