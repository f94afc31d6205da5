import type { LoginFacts, SessionFacts } from '@curfew/protocol/cuts';

/**
 * Credentials as texts, much simplified. A JWT names its session, an opaque one does not, and the same JWT has another spelling whose
 * signature is valid too.
 */
export interface Credential {
  readonly text: string;
  readonly kind: 'jwt' | 'opaque';
}

export interface Claims {
  readonly facts: SessionFacts;
  /** The epoch of the database, as the signing node knew it before it asked for the session. */
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
  const body = `${sid}.${subject}.${clientId}.${deviceId}.${born}.${login ? `${login.sid}/${login.born}/${login.clientId}` : ''}.${tenant ?? ''}.${epoch?.replace('.', '-') ?? ''}.${issuedMs}.${expiresAtMs}`;
  return `${body}.${signature(body)}`;
}

function loginOf(text = ''): LoginFacts | null {
  const [sid = '', born, clientId = ''] = text.split('/');
  return sid === '' ? null : { sid, born: Number(born), clientId };
}

/** The same token in the spelling that base64url's unused bits or an ES256 signature's twin allow. */
export function twinOf(token: string): string {
  const at = token.lastIndexOf('.');
  return token.slice(0, at) + token.slice(at).toUpperCase();
}

/** The content of a token, if it was signed here and has the spelling in which it was signed. */
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
      login: loginOf(login),
      tenant: tenant || null,
    },
    epoch: epoch ? epoch.replace('-', '.') : null,
    issuedMs: Number(issuedMs),
    expiresAtMs: Number(expiresAtMs),
  };
}
