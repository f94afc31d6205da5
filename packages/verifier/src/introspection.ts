import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { readBeginning } from '@curfew/protocol/access-token';
import type { Clock, Instant } from '@curfew/protocol/clock';
import { type Watched, watch } from '@curfew/protocol/replica';
import type { Log } from './options.ts';
import { isSubject, type SessionDetails } from './verified.ts';

/** The authority's answer about a credential (RFC 7662). `unavailable`: none, or not in time. */
export type Said =
  | {
      says: 'active';
      session: Watched;
      details: SessionDetails;
      issuer: string;
      audience: string | null;
      /** The epoch of the database, as known to the node that answered. */
      epoch: string | undefined;
    }
  | { says: 'inactive' }
  | { says: 'unavailable' };

/** What the authority said, and when it was asked. */
export interface Answer {
  said: Said;
  asked: Instant;
}

/** Requests at once; others wait for one of them, within their own time. */
const CONNECTIONS = 64;
const LONGEST_BODY = 16_384;

/** The other end had closed a kept connection, which is no fault. */
class KeptTooLong extends Error {}

/** Asks the authority about credentials. */
export class Introspection {
  readonly #endpoints: readonly URL[];
  readonly #serviceKey: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #agents: { http: HttpAgent; https: HttpsAgent };
  /** The endpoint that answered last. */
  #at = 0;
  #troubled = false;

  constructor(authorities: readonly URL[], serviceKey: string, clock: Clock, log: Log) {
    this.#endpoints = authorities.map((url) => new URL('oauth/introspect', url));
    this.#serviceKey = serviceKey;
    this.#clock = clock;
    this.#log = log;
    const options = { keepAlive: true, maxSockets: CONNECTIONS, maxFreeSockets: 8 };
    this.#agents = { http: new HttpAgent(options), https: new HttpsAgent(options) };
  }

  /** Asks one endpoint after the other until the time is over. Never throws. */
  async ask(credential: string, limitMs: number): Promise<Said> {
    const untilMs = this.#clock.now().monotonicMs + limitMs;
    let why: unknown;
    let again = true;
    for (let left = this.#endpoints.length; left > 0; left--) {
      const leftMs = untilMs - this.#clock.now().monotonicMs;
      if (leftMs <= 0) break;
      const at = this.#at;
      try {
        // An endpoint that does not answer must leave time for the next.
        const said = readAnswer(await this.#post(at, credential, left > 1 ? leftMs / 2 : leftMs));
        this.#wellAgain();
        return said;
      } catch (error) {
        why = error;
        if (again && error instanceof KeptTooLong) {
          again = false;
          left++;
        } else if (this.#at === at) this.#at = (at + 1) % this.#endpoints.length;
      }
    }
    if (!this.#troubled) {
      this.#troubled = true;
      this.#log('warn', 'the authority cannot be reached: checks that need it are refused', { error: why });
    }
    return { says: 'unavailable' };
  }

  #wellAgain(): void {
    if (this.#troubled) this.#log('info', 'the authority answers again');
    this.#troubled = false;
  }

  #post(at: number, credential: string, limitMs: number): Promise<unknown> {
    const url = this.#endpoints[at] as URL;
    const secure = url.protocol === 'https:';
    const body = `token=${encodeURIComponent(credential)}`;
    return new Promise((resolve, reject) => {
      const request = (secure ? httpsRequest : httpRequest)(url, {
        method: 'POST',
        agent: secure ? this.#agents.https : this.#agents.http,
        headers: {
          authorization: `Bearer ${this.#serviceKey}`,
          'content-type': 'application/x-www-form-urlencoded',
          'content-length': Buffer.byteLength(body),
          accept: 'application/json',
        },
      });
      const stop = this.#clock.after(limitMs, () => request.destroy(new Error('no answer in time')));
      request.once('close', stop);
      request.once('error', (error: NodeJS.ErrnoException) =>
        reject(request.reusedSocket && error.code === 'ECONNRESET' ? new KeptTooLong() : error),
      );
      request.once('response', (response) => void readJson(response).then(resolve, reject));
      request.end(body);
    });
  }

  close(): void {
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }
}

async function readJson(response: IncomingMessage): Promise<unknown> {
  if (response.statusCode !== 200) {
    response.resume();
    const isKeyRefused = response.statusCode === 401 || response.statusCode === 429;
    const hint = isKeyRefused ? ' (is the key live? curfew api-keys list)' : '';
    throw new Error(`the authority answered ${response.statusCode}${hint}`);
  }
  let text = '';
  response.setEncoding('utf8');
  for await (const chunk of response) {
    text += chunk as string;
    // Leaving the loop breaks the answer off.
    if (text.length > LONGEST_BODY) throw new Error('the answer of the authority is too long');
  }
  return JSON.parse(text);
}

/** @throws Error when it is not an answer of the authority */
function readAnswer(body: unknown): Said {
  const answer = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  if (answer['active'] === false) return { says: 'inactive' };
  const { sid, sub: subject, client_id: clientId, device_id: deviceId, exp, iss: issuer } = answer;
  const { tenant = null, role, aud, epoch } = answer;
  const { external_id: externalId, external_issuer: externalIssuer } = answer;
  const beginning = readBeginning(answer);
  const fits =
    answer['active'] === true &&
    beginning !== null &&
    typeof sid === 'string' &&
    isSubject(subject) &&
    typeof clientId === 'string' &&
    typeof deviceId === 'string' &&
    (tenant === null || typeof tenant === 'string') &&
    typeof role === 'string' &&
    typeof exp === 'number' &&
    Number.isFinite(exp) &&
    typeof issuer === 'string';
  if (!fits) throw new Error('the answer of the authority is invalid');
  return {
    says: 'active',
    session: watch({ sid, subject, clientId, deviceId, tenant, ...beginning }),
    details: {
      role,
      externalId: typeof externalId === 'string' ? externalId : null,
      externalIssuer: typeof externalIssuer === 'string' ? externalIssuer : null,
      expiresAtMs: exp * 1000,
    },
    issuer,
    audience: typeof aud === 'string' ? aud : null,
    epoch: typeof epoch === 'string' ? epoch : undefined,
  };
}
