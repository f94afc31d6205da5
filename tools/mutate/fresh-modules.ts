/** Before each test file: loads the sources again if they have changed since this process loaded them. */
import { readFileSync, rmSync } from 'node:fs';
import type { EvaluatedModules } from 'vite/module-runner';
import { vi } from 'vitest';
import { CHANGED } from './changed-mark.ts';

const worker = '__vitest_worker__';
let changed: string[] = [];
try {
  changed = readFileSync(CHANGED, 'utf8').split('\n');
  rmSync(CHANGED);
} catch (error) {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
if (changed.length > 0) {
  // Runs every module again, and also reads the text of a changed one again.
  vi.resetModules();
  const { evaluatedModules } = (
    globalThis as unknown as Record<string, { evaluatedModules: EvaluatedModules }>
  )[worker] as { evaluatedModules: EvaluatedModules };
  for (const path of changed)
    for (const module of evaluatedModules.getModulesByFile(path) ?? [])
      evaluatedModules.invalidateModule(module);
}
