/** The browser client in one file, for pages without a build: `packages/client/dist/curfew-client.js`. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'vite';
import { inputsPlugin } from './build/notices.ts';

const home = join(import.meta.dirname, '..', 'packages', 'client');

/**
 * Bundles and minifies it, as an application's own build would.
 * @param inputs receives the modules that it is made of
 */
export async function bundleClient(inputs = new Set<string>()): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: 'error',
    root: home,
    plugins: [inputsPlugin(inputs)],
    build: {
      write: false,
      target: 'es2022',
      modulePreload: false,
      rolldownOptions: {
        input: join(home, 'src', 'index.ts'),
        preserveEntrySignatures: 'strict',
        // Puts the values of constants where they are used.
        output: { format: 'es', minify: true, topLevelVar: false },
      },
    },
  });
  const [chunk, ...more] = 'output' in built ? built.output : [];
  if (chunk?.type !== 'chunk' || more.length > 0) throw new Error('the client did not come out as one file');
  return chunk.code;
}

/**
 * @param inputs receives the modules that it is made of
 * @returns where it lies
 */
export async function writeClientBundle(inputs = new Set<string>()): Promise<string> {
  const file = join(home, 'dist', 'curfew-client.js');
  mkdirSync(join(home, 'dist'), { recursive: true });
  // Other processes may be reading it.
  const unfinished = `${file}.${process.pid}`;
  writeFileSync(unfinished, await bundleClient(inputs));
  renameSync(unfinished, file);
  return file;
}

if (process.argv[1] === import.meta.filename) await writeClientBundle();
