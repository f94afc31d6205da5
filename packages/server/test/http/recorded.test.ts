/**
 * Plays some 900 requests and compares each answer, byte for byte, with the recording in recorded/recording.txt.
 * `RECORD=1 npx vitest run packages/server/test/http/recorded.test.ts` writes the recording anew. See docs/testing.md.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openHandClock, timeOf } from '../services/hand-clock.ts';
import { openAuthority, routeBackend, type TestAuthority } from '../support.ts';
import { ADMINISTRATION } from './recorded/administration.ts';
import { FAMILIES, type Section } from './recorded/families.ts';
import { OWN_API } from './recorded/own-api.ts';
import { differences, record } from './recorded/recording.ts';
import { askEveryRow } from './recorded/rows.ts';
import { askOverTheWire } from './recorded/wire.ts';

const RECORDING = new URL('recorded/recording.txt', import.meta.url);
/** The start of time: the same in every run, and far from the machine's own. */
const START_MS = Date.UTC(2031, 0, 1);
const HOUR_MS = 3_600_000;

/** Stands still until the last section, so that no lease runs out and nothing happens by itself. */
const clock = openHandClock();
let on: TestAuthority;
let nowMs = START_MS;
let uuids = 0;
beforeAll(async () => {
  const settings = {
    CURFEW_CLIENTS: '{"shop":{"audience":"https://shop.example"}}',
    CURFEW_LOGIN_FAILURES_PAIR: '3',
    CURFEW_TRUSTED_ORIGINS: 'https://trusted.example',
  };
  const system = {
    ...timeOf(clock),
    now: () => new Date(nowMs),
    // In the order in which they are made, also within a millisecond.
    uuid: () => `019a0000-0000-7000-8000-${(++uuids).toString(16).padStart(12, '0')}`,
  };
  on = await openAuthority(routeBackend(), settings, { system });
});
afterAll(() => on.close());

async function play(): Promise<{ played: string; brokenOff: string[] }> {
  const brokenOff: string[] = [];
  const recorder = record(on.call, () => {
    nowMs += 1000;
  });
  let sections = 0;
  const begin = (section: string): void => {
    recorder.begin(section);
    // Beyond every limit of the section before. One that is added at the end changes no time of the others.
    nowMs = START_MS + ++sections * 2 * HOUR_MS;
  };
  const pass = (seconds: number): void => {
    nowMs += seconds * 1000;
  };
  const all: Record<string, Section> = { ...FAMILIES, ...OWN_API, ...ADMINISTRATION };
  for (const [name, section] of Object.entries(all)) {
    begin(name);
    try {
      await section(recorder, pass);
    } catch (error) {
      // A section continues with the recorded answers: where one differs, the others are still compared.
      brokenOff.push(`${name} was broken off: ${String(error)}`);
    }
  }
  await askEveryRow(recorder, begin);
  begin('over the wire');
  await askOverTheWire(on.authority, clock, recorder);
  return { played: recorder.text(), brokenOff };
}

test('every answer is the recorded one', async () => {
  const { played, brokenOff } = await play();
  if (process.env['RECORD'] === '1' && brokenOff.length === 0) writeFileSync(RECORDING, played);
  const found = [...brokenOff, ...differences(readFileSync(RECORDING, 'utf8'), played)];
  const shown = [...found.slice(0, 20), ...(found.length > 20 ? [`… and ${found.length - 20} more`] : [])];
  expect(shown.join('\n'), 'answers changed').toBe('');
});
