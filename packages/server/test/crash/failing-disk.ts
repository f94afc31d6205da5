/** Preloaded into a server: while the file FAULT exists, the operations that it names fail as on a broken disk. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';

const fault = process.env['FAULT'] as string;
// oxlint-disable-next-line typescript/no-explicit-any -- node:fs by the names of its functions
const fs = createRequire(import.meta.url)('node:fs') as Record<string, (...parameters: any[]) => unknown>;
for (const name of ['writeSync', 'fsyncSync', 'writeFileSync', 'renameSync']) {
  const given = fs[name] as (typeof fs)[string];
  fs[name] = (...parameters) => {
    // Its log goes to another disk.
    if (parameters[0] !== 1 && parameters[0] !== 2 && existsSync(fault)) {
      const [fails, code] = readFileSync(fault, 'utf8').split(' ');
      if (fails === name) throw Object.assign(new Error(`${code}: a test`), { code });
    }
    return given(...parameters);
  };
}
syncBuiltinESMExports();
