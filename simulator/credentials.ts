import type { SessionFacts } from '@curfew/protocol/cuts';

/**
 * Credentials as texts. A toy: what counts here is that a JWT says its session by itself, that an opaque one does not, and that
 * the same JWT can be spelled in another way whose signature is good as well.
 */
export interface Credential {
  readonly text: string;
  readonly kind: 'jwt' | 'opaque';
}

export interface Claims {
  readonly facts: SessionFacts;
  /** Of the database, as the node that signed knew it before it asked for the session. */
  readonly epoch: string | null;
  readonly issuedMs: number;
  readonly expiresAtMs: number;
}

const SECRET = 0x51ed270b;

function signature(body: string): string {
  let hash = SECRET;
  for (let i = 0; i < body.length; i++) hash = Math.imul(hash ^ body.charCodeAt(i), 0x01000193);
  return `s${(hash >>> 0).toString(36)}`;
}

export function signToken({ facts, epoch, issuedMs, expiresAtMs }: Claims): string {
  const { sid, subject, clientId, deviceId, born, login, tenant } = facts;
  const body = `${sid}.${subject}.${clientId}.${deviceId}.${born}.${login ?? ''}.${tenant ?? ''}.${epoch?.replace('.', '-') ?? ''}.${issuedMs}.${expiresAtMs}`;
  return `${body}.${signature(body)}`;
}

/** The same token in the spelling that base64url's unused bits or an ES256 signature's twin allow. */
export function twinOf(token: string): string {
  const at = token.lastIndexOf('.');
  return token.slice(0, at) + token.slice(at).toUpperCase();
}

/** What a token says, if it was signed here and is spelled as it was signed. */
export function readToken(token: string): Claims | null {
  const parts = token.split('.');
  const [sid = '', subject = '', clientId = '', deviceId = '', born, login, tenant, epoch] = parts;
  const [issuedMs, expiresAtMs, signed = ''] = parts.slice(8);
  const right = signature(token.slice(0, -signed.length - 1));
  if (signed.toLowerCase() !== right) return null;
  if (signed !== right) return null;
  return {
    facts: {
      sid,
      subject,
      clientId,
      deviceId,
      born: Number(born),
      login: login || null,
      tenant: tenant || null,
    },
    epoch: epoch ? epoch.replace('-', '.') : null,
    issuedMs: Number(issuedMs),
    expiresAtMs: Number(expiresAtMs),
  };
}
