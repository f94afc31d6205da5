import type { Bench } from '../bench.ts';
import { withRatios, type Section } from '../figure.ts';
import { toWire, type WireRequest } from '../load/wire.ts';
import { measureInRounds, type Entry } from '../rounds.ts';

const CONNECTIONS = 4;
/** Only the ratio matters here, and there are many addresses. */
const SECONDS = 0.5;
const JSON_TYPE = { 'Content-Type': 'application/json' };
const SECRET = 'A'.repeat(42) + 'A';
const MADE_UP_JWT = `eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6Im5vbmUifQ.${'A'.repeat(300)}.${'A'.repeat(86)}`;

const get = (path: string, headers: Record<string, string> = {}): WireRequest => ({
  method: 'GET',
  path,
  headers,
});
const post = (path: string, body: string, type: Record<string, string> = JSON_TYPE): WireRequest => ({
  method: 'POST',
  path,
  headers: type,
  body,
});
const bearer = (text: string): Record<string, string> => ({ Authorization: `Bearer ${text}` });

/** The requests that anybody can send without a valid credential. */
const ASKED: [label: string, request: WireRequest][] = [
  ['GET /healthz', get('/healthz')],
  ['GET /readyz', get('/readyz')],
  ['GET /.well-known/jwks.json', get('/.well-known/jwks.json')],
  ['GET /openapi.json', get('/openapi.json')],
  ['GET /docs/swagger-ui-bundle.js', get('/docs/swagger-ui-bundle.js')],
  ['GET /login', get('/login')],
  ['GET, no such address', get('/nothing/of/that/name')],
  ['check, made-up JWT', get('/v1/check', bearer(MADE_UP_JWT))],
  ['check, made-up token', get('/v1/check', bearer(`sess_${SECRET}`))],
  ['check, 10,000 characters', get('/v1/check', bearer('eyJ.'.repeat(2500)))],
  ['contract 001, broken JSON', post('/auth/login', '{"email":')],
  ['contract 002, made-up session', post(`/api/auth/logout?userId=1&sessionId=sess_${SECRET}`, '')],
  ['contract 003, made-up token', get('/api/v1/auth/status', bearer(`7|${SECRET}`))],
  ['contract 004, made-up cookie', get('/v1/session', { Cookie: `curfew_session=cs_${SECRET}` })],
  ['refresh, made-up token', post('/v1/refresh', JSON.stringify({ refresh_token: `rt_${SECRET}` }))],
  [
    'introspection without a key',
    post('/oauth/introspect', 'token=x', { 'Content-Type': 'application/x-www-form-urlencoded' }),
  ],
];

/**
 * The cost of a caller without a session at each address, compared to the cheapest address. An expensive one would let an attacker starve
 * logouts.
 */
export async function measureAnonymous(bench: Bench): Promise<Section> {
  const [ours] = bench.ours;
  const port = ours?.port ?? 0;
  return withRatios({
    id: 'anonymous',
    title: 'What an anonymous caller can make expensive',
    method: `The Node generator, ${CONNECTIONS} connections, one request again and again.`,
    columns: [{ value: 'perSecond', title: 'per s', digits: 0 }],
    ratios: [{ title: '÷ /healthz', value: 'perSecond', to: 'anonymous-0' }],
    figures: await measureInRounds(
      bench,
      ours === undefined
        ? []
        : ASKED.map(
            ([label, request], i): Entry => ({
              id: `anonymous-${i}`,
              label,
              kind: 'curfew',
              measure: async (timed) => {
                const requests = [toWire(request, port)];
                const { answered, errors } = await timed(() =>
                  bench.generator.closedLoop({
                    port,
                    connections: CONNECTIONS,
                    seconds: SECONDS,
                    requests,
                    repeat: true,
                  }),
                );
                // The server is meant to refuse most of them.
                const { broken = 0, ...refused } = errors;
                const all = Object.values(refused).reduce((sum, count) => sum + count, answered);
                const problems = broken > 0 ? [`${broken} connections broke`] : [];
                return { values: { perSecond: all / SECONDS }, problems };
              },
            }),
          ),
    ),
  });
}
