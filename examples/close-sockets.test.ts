/** A back end's own WebSockets and event streams end with the session that they were opened in. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { opened } from '../packages/server/test/http/logins.ts';
import { openStage, type Stage } from '../packages/verifier/test/door.ts';
import { type Example, startProtected } from './started.ts';

const FILE = 'close-sockets.ts';
let stage: Stage;
let example: Example;
beforeAll(async () => {
  stage = await openStage();
  example = await startProtected(FILE, stage.door.url);
}, 60_000);
afterAll(async () => {
  example?.child.kill('SIGKILL');
  await stage.close();
});

const headersOf = (bearer: string): Record<string, string> => ({ authorization: `Bearer ${bearer}` });

/** A WebSocket of the back end, after its hello. */
async function listen(bearer: string): Promise<{ ws: WebSocket; closed: Promise<number> }> {
  const ws = new WebSocket(example.url.replace('http', 'ws'), { headers: headersOf(bearer) });
  const closed = new Promise<number>((resolve) => ws.on('close', resolve));
  const [hello] = await once(ws, 'message');
  expect(String(hello)).toBe('hello 2');
  return { ws, closed };
}

/** An event stream of the back end: its text until it ends. */
async function stream(bearer: string): Promise<{ text: () => string; over: Promise<void> }> {
  const response = await fetch(example.url, { headers: headersOf(bearer) });
  expect(response.status).toBe(200);
  let text = '';
  const over = (async () => {
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>)
      text += Buffer.from(chunk).toString();
  })();
  return { text: () => text, over };
}

test('the example has fewer than 40 lines', () => {
  const lines = readFileSync(join(import.meta.dirname, FILE), 'utf8')
    .trimEnd()
    .split('\n');
  expect(lines.length).toBeLessThan(40);
});

test('a logout closes both sockets of its session and none of another session', async () => {
  const [mine, other] = [await opened(stage.call, 2), await opened(stage.call, 2)];
  const [socket, otherSocket] = [await listen(mine.bearer), await listen(other.bearer)];
  const [events, otherEvents] = [await stream(mine.bearer), await stream(other.bearer)];
  await stage.call('DELETE', `/v1/sessions/${mine.sid}`, { bearer: other.bearer });
  expect(await socket.closed).toBe(4401);
  await events.over;
  expect(events.text()).toBe('data: hello 2\n\nevent: logged-out\ndata:\n\n');
  expect(otherSocket.ws.readyState).toBe(otherSocket.ws.OPEN);
  expect(otherEvents.text()).not.toContain('logged-out');

  await stage.call('POST', '/v1/logout', { bearer: other.bearer, body: { scope: 'all' } });
  expect(await otherSocket.closed).toBe(4401);
  await otherEvents.over;
});

test('a request without a session is refused', async () => {
  const { bearer } = await opened(stage.call, 2);
  await stage.call('POST', '/v1/logout', { bearer });
  for (const headers of [{}, headersOf(bearer)]) {
    expect((await fetch(example.url, { headers })).status).toBe(401);
    const ws = new WebSocket(example.url.replace('http', 'ws'), { headers });
    const [, response] = await once(ws, 'unexpected-response');
    expect(response.statusCode).toBe(401);
    ws.on('error', () => undefined);
    ws.terminate();
  }
});

test('SIGTERM stops the program', async () => {
  const exit = once(example.child, 'exit');
  example.child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
  expect(example.output()).toBe('');
});
