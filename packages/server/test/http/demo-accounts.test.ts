/** The demonstration accounts where they must not be. */
import { describe, expect, test } from 'vitest';
import { createAuthority } from '../../src/authority.ts';
import { ConfigError, type Environment } from '../../src/config.ts';
import { cheap, openAuthority, routeBackend, silent } from '../support.ts';
import { ADMIN, USER } from './logins.ts';

const PRODUCTION = {
  NODE_ENV: 'production',
  CURFEW_KEY: 'Zm9yIHRlc3RzIG9ubHksIGFuZCBsb25nIGVub3VnaA==',
  CURFEW_ISSUER: 'https://auth.example.com',
};

describe('demonstration accounts of an earlier trial', () => {
  test('production, and a start on a network, are refused until nobody can log in to them', async () => {
    const trial = await openAuthority(routeBackend(), { CURFEW_KEY: PRODUCTION.CURFEW_KEY });
    // Production takes no database that does not sync.
    const { CURFEW_DEMO_ACCOUNTS: _, CURFEW_EMBEDDED_FSYNC: __, ...place } = trial.settings;
    await trial.close();
    const start = async (settings: Environment): Promise<string> => {
      try {
        const authority = await createAuthority({
          settings: { ...place, ...settings },
          log: silent,
          system: { passwords: cheap },
        });
        const page = await authority.fetch(new Request('https://auth.example.com/healthz'));
        await authority.close();
        return String(page.status);
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigError);
        return (error as Error).message;
      }
    };
    const network = { HOST: '0.0.0.0', CURFEW_DEMO_ACCOUNTS: '0' };
    for (const settings of [PRODUCTION, network])
      expect(await start(settings)).toBe(
        `CURFEW_DEMO_ACCOUNTS: ${ADMIN} and ${USER} still have the public password of the demonstration. Change it first: curfew user password ${ADMIN} --generate; curfew user password ${USER} --generate.`,
      );
    // On this machine alone it is still the trial that it was.
    expect(await start({ CURFEW_DEMO_ACCOUNTS: '0' })).toBe('200');

    const again = await openAuthority(routeBackend(), place);
    const { json } = await again.call('POST', '/v1/login', {
      body: { email: ADMIN, password: 'password123' },
    });
    const change = { current_password: 'password123', new_password: 'another one, and longer' };
    await again.call('POST', '/v1/password', { bearer: json.access_token, body: change });
    await again.close();
    expect(await start(PRODUCTION)).toMatch(
      `CURFEW_DEMO_ACCOUNTS: ${USER} still has the public password of the demonstration`,
    );

    const last = await openAuthority(routeBackend(), place);
    const administrator = await last.call('POST', '/v1/login', {
      body: { email: ADMIN, password: change.new_password },
    });
    const disabled = await last.call('PATCH', '/v1/admin/users/2', {
      bearer: administrator.json.access_token,
      body: { disabled: true },
    });
    expect(disabled.status).toBe(200);
    await last.close();
    for (const settings of [PRODUCTION, network]) expect(await start(settings)).toBe('200');
  });
});
