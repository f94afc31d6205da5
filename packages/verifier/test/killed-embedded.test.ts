/** An authority with the embedded database that was killed and restarts: it waits for verifiers with the dead process's lease. */
import { expect, test } from 'vitest';
import { startServer } from '../../server/test/crash/server-child.ts';
import { opened } from '../../server/test/http/logins.ts';
import { freshData } from '../../server/test/services/embedded-data.ts';
import { openHandClock, passUntil, passWhile, timeOf } from '../../server/test/services/hand-clock.ts';
import { ISSUER, reopenAuthority, SERVICE_KEY } from '../../server/test/support.ts';
import { createVerifierBy } from '../src/feed-verifier.ts';

test('a logout after the restart is confirmed only after the leases of the dead process’s verifiers have expired', async () => {
  const settings = {
    CURFEW_DATA: freshData('killed'),
    // The clock of the verifier is quicker than that of the process that renews it.
    CURFEW_LEASE_MS: '5000',
    CURFEW_DEMO_ACCOUNTS: '1',
  };
  const dead = await startServer(settings);
  const { bearer } = await opened(dead.call, 2);
  // Its rows are not from the future.
  const clock = openHandClock();
  const start = () => reopenAuthority({ ...settings, ISSUER }, { system: timeOf(clock) });
  const verifier = createVerifierBy(clock, {
    authority: dead.url,
    serviceKey: SERVICE_KEY,
    audience: ISSUER,
    log: () => undefined,
  });
  try {
    await passUntil(clock, 'the verifier is fresh', () => verifier.freshness.state === 'fresh');
    expect(await verifier.verify(bearer)).toMatchObject({ ok: true });
    dead.signal('SIGKILL');
    await dead.ended;
    // Where the verifier does not find it.
    const next = await start();
    // It answers from memory still, or this shows nothing.
    expect(verifier.verifyNow(bearer)).toMatchObject({ ok: true });
    const { json } = await passWhile(clock, next.call('POST', '/v1/logout', { bearer }));
    expect(verifier.verifyNow(bearer)?.ok).not.toBe(true);
    expect(json).toMatchObject({ ended: 1, confirmed: true, acknowledged: 0, waited_out: 1 });
    // Only those before the restart were waited for.
    const other = await opened(next.call, 2);
    const later = await next.call('POST', '/v1/logout', { bearer: other.bearer });
    expect(later.json).toMatchObject({ confirmed: true, acknowledged: 0, waited_out: 0 });
    await passWhile(clock, next.close());
    // A node that deregistered leaves no verifier behind.
    const last = await start();
    const { bearer: fresh } = await opened(last.call, 2);
    const unwatched = await last.call('POST', '/v1/logout', { bearer: fresh });
    expect(unwatched.json).toMatchObject({ confirmed: true, waited_out: 0 });
    await passWhile(clock, last.close());
  } finally {
    await verifier.close();
  }
});
