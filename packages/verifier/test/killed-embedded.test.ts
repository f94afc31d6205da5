/** An authority with the embedded database that was killed and comes back: who trusts the dead one's word is waited for. */
import { expect, test } from 'vitest';
import { startServer } from '../../server/test/crash/server-child.ts';
import { opened } from '../../server/test/http/logins.ts';
import { freshData } from '../../server/test/services/embedded-data.ts';
import { ISSUER, SERVICE_KEY } from '../../server/test/support.ts';
import { createVerifier } from '../src/index.ts';

/** Longer than a server takes to start, so that the verifier still trusts itself when it is there again. */
const LEASE_MS = 15_000;

test('a logout after the restart is not confirmed before a verifier of the dead process has lost its lease', async () => {
  const settings = {
    CURFEW_DATA: freshData('killed'),
    CURFEW_LEASE_MS: String(LEASE_MS),
    CURFEW_DEMO_ACCOUNTS: '1',
  };
  const dead = await startServer(settings);
  const { bearer } = await opened(dead.call, 2);
  const verifier = createVerifier({
    authority: dead.url,
    serviceKey: SERVICE_KEY,
    audience: ISSUER,
    log: () => undefined,
  });
  try {
    expect(await verifier.ready(60_000)).toBe(true);
    expect(await verifier.verify(bearer)).toMatchObject({ ok: true });
    dead.signal('SIGKILL');
    await dead.ended;
    // At another port, where the verifier does not find it.
    const next = await startServer(settings);
    try {
      // It answers from memory still, or this shows nothing.
      expect(verifier.verifyNow(bearer)).toMatchObject({ ok: true });
      const { json } = await next.call('POST', '/v1/logout', { bearer });
      expect(verifier.verifyNow(bearer)?.ok).not.toBe(true);
      expect(json).toMatchObject({ ended: 1, confirmed: true, acknowledged: 0, waitedOut: 1 });
      // Only those before the restart were waited for.
      const other = await opened(next.call, 2);
      const later = await next.call('POST', '/v1/logout', { bearer: other.bearer });
      expect(later.json).toMatchObject({ confirmed: true, acknowledged: 0, waitedOut: 0 });
    } finally {
      next.signal('SIGTERM');
      await next.ended;
    }
    // One that has signed off leaves nobody behind.
    const last = await startServer(settings);
    try {
      const { bearer: fresh } = await opened(last.call, 2);
      const { json } = await last.call('POST', '/v1/logout', { bearer: fresh });
      expect(json).toMatchObject({ confirmed: true, waitedOut: 0 });
    } finally {
      last.signal('SIGTERM');
      await last.ended;
    }
  } finally {
    await verifier.close();
  }
});
