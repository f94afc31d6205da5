import {
  canonicalKeyId,
  claimsNotYetVerified,
  factsOfClaims,
  judgeAccessToken,
  type Judged,
} from '@curfew/protocol/access-token';
import type { SessionFacts } from '@curfew/protocol/cuts';
import { watch } from '@curfew/protocol/replica';
import type { Subscriber } from '@curfew/protocol/subscriber';
import { jwtVerify } from 'jose';
import type { AcceptedAudiences } from './accepted-audiences.ts';
import type { Keys } from './public-keys.ts';
import { isSubject, type Refused, refused, type SessionDetails } from './verified.ts';

/** The conditions that a token is judged by. */
interface TokenTerms {
  issuer: string;
  /** The longest life of a token that may be judged here: endings are not remembered for longer. */
  tokenLifeMs: number;
  /** The authority's clock. */
  nowMs: number;
  /** Knows whether a token can be judged here at all. */
  subscriber: Subscriber;
}

/** The proof of a signature. It does not say whether the session is alive. */
export interface Proven {
  facts: SessionFacts;
  details: SessionDetails;
}

/** Judges the text of a JWT. `ask`: the authority must be asked. */
export async function judgeToken(
  text: string,
  keys: Keys,
  audiences: AcceptedAudiences,
  terms: TokenTerms | null,
): Promise<Proven | Refused | 'ask'> {
  const kid = canonicalKeyId(text);
  if (kid === null) return refused('not_canonical');
  const { accepted } = audiences;
  const said = claimsNotYetVerified(text);
  if (!said) return refused('not_ours');
  if (accepted === null) return 'ask';
  const key = keys.find(kid);
  const judge = (
    those: readonly string[],
    { issuer, nowMs }: TokenTerms,
    by: NonNullable<ReturnType<Keys['find']>>,
  ): Promise<Judged> =>
    judgeAccessToken(text, by, { issuer, audiences: those, now: new Date(nowMs) }, jwtVerify);
  // The authority answers for every audience, so a token for another one is refused before it is asked.
  if (!accepted.includes(said.aud)) {
    // The log names only what the authority has signed, because anybody can write a token.
    if (key && terms && audiences.isNew(said.aud) && (await judge([said.aud], terms, key)).ok)
      audiences.refuse(said.aud);
    return refused('not_ours');
  }
  if (!key || !terms) return 'ask';

  const judged = await judge(accepted, terms, key);
  if (!judged.ok) return refused(REASONS[judged.wrong]);
  const { epoch, iat, exp, role } = judged.claims;
  const { external_id: externalId = null, external_issuer: externalIssuer = null } = judged.claims;
  const facts = factsOfClaims(judged.claims);
  if (!isSubject(facts.subject)) return refused('not_ours');
  if ((exp - iat) * 1000 > terms.tokenLifeMs || !terms.subscriber.mayJudge(epoch)) return 'ask';
  if (role === undefined || terms.subscriber.mayHaveNewRole(watch(facts))) return 'ask';
  return { facts, details: { role, externalId, externalIssuer, expiresAtMs: exp * 1000 } };
}

const REASONS = {
  signature: 'bad_signature',
  claims: 'not_ours',
  expired: 'expired',
} as const satisfies Record<Extract<Judged, { ok: false }>['wrong'], Refused['reason']>;
