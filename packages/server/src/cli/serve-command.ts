import type { Command } from './declare.ts';

export const serveCommand: Command = {
  words: 'serve',
  summary: 'Run the server',
  description: [
    'Environment variables configure the server: docs/settings.md. Without any, it listens on 127.0.0.1:8000 and uses an embedded database in ./curfew-data. On SIGTERM, SIGINT or SIGHUP it finishes the requests in progress and exits.',
    'With --json it prints only its log, without the lines for people at the start.',
  ],
  examples: ['curfew serve', 'PORT=9000 DATABASE_URL=postgres://localhost/curfew curfew serve'],
  run: async ({ environment, terminal }) => {
    // People get a message at once, because loading the program takes a moment. Elsewhere the log reports slow steps.
    const say =
      terminal.json || !terminal.watched ? null : (what: string) => terminal.note(`Curfew: ${what} …`);
    say?.('starting');
    const { serve: run } = await import('./serve.ts');
    return run(environment, {
      banner: !terminal.json,
      stdout: terminal.streams.stdout,
      ...(say && { onStep: say }),
    });
  },
};
