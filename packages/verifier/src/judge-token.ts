import {
  canonicalKeyId,
  claimsNotYetVerified,
  judgeAccessToken,
  type Judged,
} from '@curfew/protocol/access-token';
import type { SessionFacts } from '@curfew/protocol/cuts';
import { jwtVerify } from 'jose';
import type { Keys } from './public-keys.ts';
import { isSubject, type Refused, refused } from './verified.ts';

/** The conditions that a token is judged by. */
interface TokenTerms {
  issuer: string;
  /** The longest life of a token that may be judged here: endings are not remembered for longer. */
  tokenLifeMs: number;
  /** The authority's clock. */
  nowMs: number;
  /** Whether a token of this epoch of the authority's database can be judged here at all. */
  mayJudge: (epoch: string | undefined) => boolean;
}

/** The proof of a signature. It does not say whether the session is alive. */
export interface Proven {
  facts: SessionFacts;
  externalId: string | null;
  expiresAtMs: number;
}

/** Judges the text of a JWT. `ask`: the authority must be asked. */
export async function judgeToken(
  text: string,
  keys: Keys,
  audiences: readonly string[],
  terms: TokenTerms | null,
): Promise<Proven | Refused | 'ask'> {
  const kid = canonicalKeyId(text);
  if (kid === null) return refused('not_canonical');
  // The authority answers for every audience, so a token for another one is refused before it is asked.
  const said = claimsNotYetVerified(text);
  if (!said || !audiences.includes(said.aud)) return refused('not_ours');
  const key = keys.find(kid);
  if (!key || !terms) return 'ask';

  const now = new Date(terms.nowMs);
  const judged = await judgeAccessToken(text, key, { issuer: terms.issuer, audiences, now }, jwtVerify);
  if (!judged.ok) return refused(REASONS[judged.wrong]);
  const {
    sub: subject,
    sid,
    client_id: clientId,
    device_id: deviceId,
    born,
    epoch,
    iat,
    exp,
  } = judged.claims;
  const { login = null, tenant = null, external_id: externalId = null } = judged.claims;
  if (!isSubject(subject)) return refused('not_ours');
  if ((exp - iat) * 1000 > terms.tokenLifeMs || !terms.mayJudge(epoch)) return 'ask';
  const facts = { sid, subject, clientId, deviceId, born, login, tenant };
  return { facts, externalId, expiresAtMs: exp * 1000 };
}

const REASONS = {
  signature: 'bad_signature',
  claims: 'not_ours',
  expired: 'expired',
} as const satisfies Record<Extract<Judged, { ok: false }>['wrong'], Refused['reason']>;
