import { describe, expect, test } from 'vitest';
import { describeUserAgent } from '../../src/domain/device.ts';
import { accessLifeSeconds, idleExpiry, shownActivity, shownIdleExpiry } from '../../src/domain/session.ts';

const NOW = new Date('2026-11-20T12:00:00.000Z');
const after = (seconds: number): Date => new Date(NOW.getTime() + seconds * 1000);

test.each([
  [600, 3600, 600],
  [3600, 600, 600],
  [600, 600, 600],
])('idle %i s, absolute in %i s: expires in %i s', (idle, absolute, expected) => {
  expect(idleExpiry(NOW, idle, after(absolute))).toEqual(after(expected));
});

test.each([
  [300, 3600, 3600, 300],
  [300, 100, 3600, 100],
  [300, 3600, 100.9, 100],
  [300, 3600, 0.2, 1],
])(
  'a token of %i s in a session of %i s idle and %d s left lives %i s',
  (seconds, idleSeconds, left, expected) => {
    expect(accessLifeSeconds(NOW, seconds, { idleSeconds, expiresAt: after(left) })).toBe(expected);
  },
);

test.each([
  ['used at its login', 20, 20, 20],
  ['used in the minute of its login', 20, 59.999, 20],
  ['used in the next minute', 20, 60, 60],
  ['used later', 20, 150.5, 120],
])('a session %s: activity is shown to the minute, never before the login', (_, created, used, shown) => {
  expect(shownActivity(after(used), after(created))).toEqual(after(shown));
  for (const idleSeconds of [5, 90, 3600]) {
    const session = { createdAt: after(created), idleSeconds, idleExpiresAt: after(used + idleSeconds) };
    expect(shownIdleExpiry({ ...session, expiresAt: after(9000) })).toEqual(after(shown + idleSeconds));
    expect(shownIdleExpiry({ ...session, expiresAt: after(used + 1) })).toEqual(after(used + 1));
  }
});

describe('a device in words', () => {
  test.each([
    ['', null, null],
    ['curl/8.5.0', 'curl', null],
    ['node', 'Node.js', null],
    [
      'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0',
      'Firefox',
      'Windows',
    ],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1',
      'Safari',
      'iOS',
    ],
    ['<script>alert(1)</script>', null, null],
  ])('%s', (userAgent, browser, system) => {
    expect(describeUserAgent(userAgent)).toEqual({ browser, system });
  });

  test('of a long header, the beginning is read', () => {
    // Reading all of it more than once for each part would take longer than a test may.
    for (const text of ['Mozilla/5.0 (', 'a/', '(((((', ' ']) {
      const { browser } = describeUserAgent(text.repeat(200_000));
      expect((browser ?? '').length).toBeLessThanOrEqual(512);
    }
  });
});
