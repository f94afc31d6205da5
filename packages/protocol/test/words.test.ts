/** The words of the protocol. Other versions, clients in other languages and logs use them, so a change must be noticed. */
import { credentialKind } from '@curfew/protocol/reading/credential-kind';
import { endedKey } from '@curfew/protocol/ended-key';
import { FEED_CLOSED, FEED_VERSION } from '@curfew/protocol/feed-messages';
import {
  END_REASONS,
  ENDED_BY,
  NOTICES_CLOSED,
  NOTICES_PROTOCOL,
  NOTICES_TOKEN,
} from '@curfew/protocol/notices';
import { RING_FAULTS } from '@curfew/protocol/rings';
import { DEGRADED_CODES } from '@curfew/protocol/wire/system-state';
import { expect, test } from 'vitest';

test('the words of sockets and endings are the published ones', () => {
  expect([NOTICES_PROTOCOL, NOTICES_TOKEN]).toEqual(['curfew.notices.v1', 'curfew.token.']);
  expect(NOTICES_CLOSED).toEqual({ ended: 4401, restart: 1012, busy: 1013, protocol: 1008 });
  expect([FEED_VERSION, FEED_CLOSED]).toEqual([
    2,
    { restart: 1012, protocol: 4400, revoked: 4401, version: 4426 },
  ]);
  expect(ENDED_BY).toEqual(['self', 'other_device', 'administrator', 'service', 'system']);
  expect(RING_FAULTS).toEqual(['unauthenticated', 'repeated', 'malformed']);
  expect(END_REASONS).toEqual([
    'logout',
    'admin_logout',
    'refresh_replay',
    'user_disabled',
    'user_deleted',
    'password_changed',
    'password_reset',
    'role_changed',
    'replaced_by_login',
    'renewed',
    'idle_timeout',
    'absolute_timeout',
  ]);
});

test('every way in which a session ends has a sentence', () => {
  const sentences = [...END_REASONS, 'of a newer server'].map((reason) => endedKey({ reason, by: 'system' }));
  expect(sentences).toEqual([
    'unknown',
    'unknown',
    'replay',
    'disabled',
    'deleted',
    'password_changed',
    'password_reset',
    'role_changed',
    'replaced',
    'replaced',
    'idle',
    'expired',
    'unknown',
  ]);
  expect(ENDED_BY.map((by) => endedKey({ reason: 'logout', by }))).toEqual([
    'you',
    'other_device',
    'administrator',
    'service',
    'unknown',
  ]);
});

test('what the system page and alerts are told is named by the published words', () => {
  expect(DEGRADED_CODES).toEqual([
    'database_away',
    'database_slow',
    'not_fresh',
    'node_silent',
    'redis_away',
    'verifier_stale',
    'reader_failing',
    'reader_behind',
    'waited_out',
    'logins_waiting',
    'clock_off',
    'embedded_without_fsync',
    'keys_in_clear',
  ]);
});

const SECRET = `${'aZ09_-'.repeat(7)}A`;

test.each([
  [`eyJ${SECRET}`, 'jwt'],
  [`sess_${SECRET}`, 'session'],
  [`cs_${SECRET}`, 'cookie'],
  [`rt_${SECRET}`, 'refresh'],
  [`1|${SECRET}`, 'access'],
  [`1234567890123456|${SECRET}`, 'access'],
])('%s is a credential by its shape: %s', (text, kind) => {
  expect(credentialKind(text)).toBe(kind);
});

test.each([
  '',
  SECRET,
  `|${SECRET}`,
  `0|${SECRET}`,
  `01|${SECRET}`,
  `12345678901234567|${SECRET}`,
  `xx_${SECRET}`,
  ` rt_${SECRET}`,
  `rt_${SECRET}A`,
  `rt_${SECRET.slice(1)}`,
  // The last character has two unused bits.
  `rt_${SECRET.slice(0, -1)}B`,
])('%j is not a credential', (text) => {
  expect(credentialKind(text)).toBeNull();
});
