/** The answers on the wire: quick answers to checks, refused upgrades, and requests that `fetch` cannot send. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { Authority } from '../../../src/authority.ts';
import { type HandClock, passUntil } from '../../services/hand-clock.ts';
import { SERVICE_KEY } from '../../support.ts';
import { cookieLogin, opened } from '../logins.ts';
import type { Exchange, Recorder } from './recording.ts';

/** @param clock by which the node reads the log, so that its memory is fresh */
export async function askOverTheWire(
  authority: Authority,
  clock: HandClock,
  recorder: Recorder,
): Promise<void> {
  const server = createServer(authority.listener).on('upgrade', authority.upgrade);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await askAll(recorder, clock, (lines) => exchange(server, lines));
  } finally {
    server.close();
    await once(server, 'close');
  }
}

type Send = (lines: string[]) => Promise<Omit<Exchange, 'title'>>;

async function askAll({ quietly, add }: Recorder, clock: HandClock, send: Send): Promise<void> {
  const { bearer } = await opened(quietly, 2);
  const { cookie, csrf } = await cookieLogin(quietly);
  const credentials = [`Authorization: Bearer ${bearer}`, `Cookie: curfew_session=${cookie}`];
  const ask = async (who: string, lines: string[]): Promise<void> =>
    add({ title: `over the wire, ${lines[0]} · ${who}`, ...(await send(lines)) });
  const check = async (who: string): Promise<void> => {
    for (const credential of credentials)
      for (const first of ['GET /v1/check', 'HEAD /v1/check', 'POST /v1/check/', 'GET /v1/check/a?b=%FF'])
        await ask(who, [first, credential]);
  };
  /** The ordinary answer's length is not known beforehand. */
  const fromMemory = async (credential: string): Promise<boolean> =>
    (await send(['GET /v1/check', credential])).headers.some(([name]) => name === 'content-length');

  await check('alive');
  for (const credential of credentials)
    await passUntil(clock, 'memory knows it', () => fromMemory(credential));
  await check('alive, from memory');
  for (const credential of credentials) {
    await ask('twice', ['GET /v1/check', credential, credential]);
    await ask('of a trusted page', ['GET /v1/check', credential, 'Origin: https://trusted.example']);
    await ask('for an audience', ['GET /v1/check?audience=x', credential]);
    for (const path of ['/v1/notices', '/v1/feed', '/v1/nowhere'])
      await ask('an upgrade', [`GET ${path}`, ...UPGRADE, 'Origin: https://elsewhere.example', credential]);
  }
  for (const none of ['Bearer made-up', 'Basic made-up', `Bearer ${cookie}`])
    await ask('none that is alive', ['GET /v1/check', `Authorization: ${none}`]);
  await ask('an upgrade by nobody', ['GET /v1/notices', ...UPGRADE]);
  const otherVersion = UPGRADE.map((line) => line.replace('13', '1'));
  const service = `Authorization: Bearer ${SERVICE_KEY}`;
  await ask('an upgrade of another version', ['GET /v1/feed', ...otherVersion, service]);
  await quietly('POST', '/v1/logout', { bearer });
  await quietly('POST', '/v1/logout', { cookie, csrf });
  await check('logged out');
  await check('logged out, again');
  await ask('a double slash', ['GET //v1/check']);
  await ask('no UTF-8', ['GET /api/users/%C3']);
  await ask('another method', ['TRACE /healthz']);
  await ask('a whole address', ['GET http://elsewhere.example/healthz']);
  await ask('no address', ['GET *']);
  await ask('another type', ['POST /v1/login', 'Content-Type: text/plain', 'Content-Length: 0']);
}

const UPGRADE = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Protocol: curfew.notices.v1',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];

/** Sends the lines as they are, on a connection of their own. */
async function exchange(server: Server, [first = '', ...lines]: string[]) {
  const { port } = server.address() as AddressInfo;
  const closes = lines.some((line) => line.startsWith('Connection:')) ? [] : ['Connection: close'];
  const socket = connect(port, '127.0.0.1');
  socket.write([`${first} HTTP/1.1`, 'Host: localhost:8000', ...lines, ...closes, '', ''].join('\r\n'));
  let answer = '';
  socket.setEncoding('utf8').on('data', (piece: string) => {
    answer += piece;
  });
  await once(socket, 'close');
  const [head = '', body = ''] = answer.split('\r\n\r\n', 2);
  const [status = '', ...headers] = head.split('\r\n');
  return {
    request: lines.map((line) => `> ${line}`),
    status,
    headers: headers
      .map(partsOf)
      .filter(([name]) => name !== 'date')
      .toSorted(byName),
    body: body === '' ? [] : [body],
  };
}

const partsOf = (line: string): [name: string, value: string] => {
  const end = line.indexOf(':');
  return [line.slice(0, end).toLowerCase(), line.slice(end + 1).trim()];
};
/** The quick answers and the others have the same headers in another order. */
const byName = ([a]: [string, string], [b]: [string, string]): number => (a < b ? -1 : a > b ? 1 : 0);
