import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { upgradeAnswered } from './upgrade-answers.ts';
import { type ProblemCode, problem } from '@curfew/protocol/errors';

/** The problem that answers a request that asked for a WebSocket and gets none; the connection ends with it. */
export function refuseUpgrade(
  socket: Duplex,
  code: ProblemCode,
  headers: Record<string, string> = {},
  cookies: string[] = [],
): void {
  socket.on('error', () => socket.destroy());
  // The other end may keep its half open, and no timeout of HTTP ends a connection that was to be upgraded.
  socket.once('finish', () => socket.destroy());
  const body = JSON.stringify(problem(code));
  const { status } = problem(code);
  upgradeAnswered(socket, status);
  const lines = Object.entries({
    ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}),
    ...headers,
    Connection: 'close',
    'Content-Type': 'application/problem+json',
    'Content-Length': String(Buffer.byteLength(body)),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  })
    .concat(cookies.map((cookie) => ['Set-Cookie', cookie]))
    .map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
}
