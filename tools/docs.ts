/** `npm run docs`: writes the pages that are generated from the code. A test fails when they differ. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writtenPages } from './docs/pages.ts';

const scratch = mkdtempSync(join(tmpdir(), 'curfew-docs-'));
try {
  for (const [path, text] of Object.entries(
    await writtenPages({ CURFEW_DATA: scratch, CURFEW_EMBEDDED_FSYNC: '0' }),
  )) {
    writeFileSync(join(import.meta.dirname, '..', path), text);
    console.log(path);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
