/** The audiences of a back end: those it names, or else the one that the authority says of its key. */
import { SignJWT, generateKeyPair } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { claimsNotYetVerified } from '@curfew/protocol/access-token';
import { opened, sessionTokenLogin } from '../../server/test/http/logins.ts';
import { ISSUER, SERVICE_KEY } from '../../server/test/support.ts';
import { AcceptedAudiences } from '../src/accepted-audiences.ts';
import type { Verifier } from '../src/index.ts';
import { openStage, type Stage } from './door.ts';

const SHOP = 'https://shop.example';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({ CURFEW_CLIENTS: JSON.stringify({ shop: { audience: SHOP } }) });
});
afterAll(() => stage.close());

/** A verifier that names no audience, and what it logs. */
async function learning(serviceKey: string): Promise<{ verifier: Verifier; said: string[] }> {
  const said: string[] = [];
  const log = (_level: string, message: string): void => void said.push(message);
  return { verifier: await stage.connect({ serviceKey, audience: undefined, log } as never), said };
}
const keyOf = async (more: object): Promise<string> => {
  const body = { name: 'back end', scopes: ['verify'], ...more };
  return (await stage.call('POST', '/v1/admin/api-keys', { bearer: SERVICE_KEY, body })).json.secret;
};
const refused = (audience: string, accepts: string): string =>
  `a credential for the audience "${audience}" was refused: this back end accepts "${accepts}"`;

test('a client’s key has the audience of its client, and an operator’s key that of the authority', async () => {
  const [own, other] = [await opened(stage.call, 2, { client_id: 'shop' }), await opened(stage.call, 2)];
  for (const [key, accepted, foreign, audience] of [
    [await keyOf({ client_id: 'shop' }), own, other, SHOP],
    [await keyOf({}), other, own, ISSUER],
    [SERVICE_KEY, other, own, ISSUER],
  ] as const) {
    const { verifier, said } = await learning(key);
    expect(await verifier.verify(accepted.bearer)).toMatchObject({ ok: true, by: 'memory' });
    expect(await verifier.verify(foreign.bearer)).toEqual({ ok: false, reason: 'not_ours' });
    expect(said.filter((line) => /audience/.test(line))).toEqual([
      refused(audience === SHOP ? ISSUER : SHOP, audience),
    ]);
  }
});

test('the log names another audience once, for tokens and opaque credentials, and never one that nobody has signed', async () => {
  const { verifier, said } = await learning(await keyOf({ client_id: 'shop' }));
  const [first, second] = [await opened(stage.call, 2), await opened(stage.call, 2)];
  const { privateKey } = await generateKeyPair('EdDSA');
  const kid = JSON.parse(Buffer.from(first.bearer.split('.')[0] ?? '', 'base64url').toString()).kid;
  const forged = await new SignJWT({ ...claimsNotYetVerified(first.bearer), aud: 'https://made-up.example' })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid })
    .sign(privateKey);
  expect(await verifier.verify(forged)).toMatchObject({ ok: false });
  expect(said.filter((line) => /audience/.test(line))).toEqual([]);
  for (const token of [first.bearer, second.bearer, first.bearer])
    expect(await verifier.verify(token)).toEqual({ ok: false, reason: 'not_ours' });
  expect(said.filter((line) => /audience/.test(line))).toEqual([refused(ISSUER, SHOP)]);

  const named = await stage.connect({ audience: [SHOP], log: (_level, message) => void said.push(message) });
  said.length = 0;
  const opaque = await sessionTokenLogin(stage.call);
  for (let i = 0; i < 2; i++) expect(await named.verify(opaque)).toMatchObject({ ok: false });
  expect(said.filter((line) => /audience/.test(line))).toEqual([refused(ISSUER, SHOP)]);
});

test('what the authority says of the key is learnt, also when it changes, and what it leaves out is said once', () => {
  const said: string[] = [];
  const audiences = new AcceptedAudiences(null, (level, message) => void said.push(`${level}: ${message}`));
  expect([audiences.learn(undefined), audiences.learn(undefined), audiences.accepted]).toEqual([
    false,
    false,
    null,
  ]);
  expect(said).toEqual([
    'error: the authority does not name the audience of the key: set the option audience',
  ]);
  // Only a change makes earlier answers void.
  expect([SHOP, SHOP, undefined, ISSUER].map((one) => audiences.learn(one))).toEqual([
    false,
    false,
    false,
    true,
  ]);
  expect([audiences.accepted, said.length]).toEqual([[ISSUER], 1]);
  const given = new AcceptedAudiences([SHOP], (_level, message) => void said.push(message));
  expect([given.learn(undefined), given.learn(ISSUER), given.accepted]).toEqual([false, false, [SHOP]]);
  expect(said).toHaveLength(1);
});
