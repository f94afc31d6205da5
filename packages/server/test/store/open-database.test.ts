import { expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { openDatabase } from '../../src/store/open-database.ts';
import { freshData } from '../services/embedded-data.ts';
import { recordingLog } from '../support.ts';

test.each([
  ['0', [expect.objectContaining({ level: 'warn', setting: 'CURFEW_EMBEDDED_FSYNC' })]],
  ['1', []],
])('an embedded database with CURFEW_EMBEDDED_FSYNC=%s says whether it syncs', async (fsync, warnings) => {
  const { log, lines } = recordingLog();
  const environment = { CURFEW_DATA: freshData('opened'), CURFEW_EMBEDDED_FSYNC: fsync };
  const database = await openDatabase(readConfig(environment), log);
  await database.close();
  const said = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(said.filter(({ setting }) => setting !== undefined)).toEqual(warnings);
});
