import { audienceOf } from '../domain/audience.ts';
import { authenticateRemembered } from '../actions/authenticate.ts';
import type { Remembered } from '../cluster/memory/session-memory.ts';
import type { Config } from '../config.ts';
import { parseBearer, parseOpaque } from '../domain/tokens.ts';
import { readForm } from './contract/body.ts';
import { serviceCallerOnly } from './callers.ts';
import * as contract from './contract/oauth.ts';
import { refuse, refuseInput } from './respond.ts';
import { type Router, serveRow } from './contract/serve-row.ts';
import { onFault } from './v1.ts';

/* The standard's own endpoints. */

export function serveOauth(router: Router): void {
  serveRow(
    router,
    contract.introspect,
    async (c) => {
      if (serviceCallerOnly(c, 'service_key_refused').kind !== 'service')
        return refuse(c, 'not_authenticated');
      const input = await readForm(c, contract.introspect);
      if (!input.ok) return refuseInput(c, input.fault);
      const { token, audience } = input.value;
      // A back end passes on what it was given, in a header or in a cookie.
      const credential = parseBearer(token) ?? parseOpaque('cookie', token);
      // Before anything is looked at: what is said is no newer than this.
      const { epoch } = c.get('world').nodes.node;
      const known = credential
        ? await authenticateRemembered(c.get('world'), credential, true, audience)
        : null;
      return c.json(known ? activeBody(known, c.get('world').config, epoch) : { active: false });
    },
    onFault,
  );
}

const seconds = (date: Date): number => Math.floor(date.getTime() / 1000);

function activeBody(
  { session, idleUntilMs, expiresAtMs }: Remembered,
  config: Config,
  epoch: string | null,
): Record<string, unknown> {
  return {
    active: true,
    sid: session.sid,
    sub: String(session.userId),
    client_id: session.clientId,
    device_id: session.deviceId,
    born: session.born,
    epoch: epoch ?? undefined,
    iat: seconds(session.createdAt),
    exp: Math.floor(Math.min(expiresAtMs, idleUntilMs) / 1000),
    iss: config.issuer,
    // None where the application was taken out of the settings.
    aud: audienceOf(config, session) ?? undefined,
    token_type: 'Bearer',
    username: session.user.email,
    role: session.user.role,
  };
}
