import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { upgradeAnswered } from './upgrade-answers.ts';
import { type ProblemCode, problem } from '@curfew/protocol/errors';

/** Answers a request for a WebSocket with a problem, and ends the connection. */
export function refuseUpgrade(
  socket: Duplex,
  code: ProblemCode,
  headers: Record<string, string> = {},
  cookies: string[] = [],
): void {
  socket.on('error', () => socket.destroy());
  // The peer may keep its half open, and HTTP's timeouts do not apply to a connection that asked for an upgrade.
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
