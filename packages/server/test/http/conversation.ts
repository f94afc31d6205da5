/** Requests as they go over a connection, byte by byte. */
import { type Caller, SERVICE_KEY } from '../support.ts';
import { connect, type Socket } from 'node:net';

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
}

interface Conversation {
  socket: Socket;
  ask: (text: string) => Promise<Answer>;
}

/** A connection on which requests are written byte by byte, and answers are read one after the other. */
export function converse(socket: Socket): Conversation {
  let received = '';
  let ended = false;
  let wake = (): void => undefined;
  socket.setEncoding('latin1');
  socket.on('data', (chunk) => {
    received += String(chunk);
    wake();
  });
  socket.on('close', () => {
    ended = true;
    wake();
  });
  socket.on('error', () => undefined);
  /** The next answer, when it is there as a whole. */
  const take = (hasBody: boolean): Answer | null => {
    const end = received.indexOf('\r\n\r\n');
    if (end < 0) return null;
    const [first = '', ...lines] = received.slice(0, end).split('\r\n');
    const headers = new Headers(lines.map((line) => line.split(/: ?(.*)/s, 2) as [string, string]));
    const rest = received.slice(end + 4);
    const status = Number(first.split(' ')[1]);
    const length =
      hasBody && status !== 101 && status !== 204 ? Number(headers.get('content-length') ?? 0) : 0;
    if (rest.length < length) return null;
    received = rest.slice(length);
    return { status, headers, text: rest.slice(0, length) };
  };
  return {
    socket,
    ask: async (text) => {
      socket.write(text, 'latin1');
      for (;;) {
        const answer = take(!text.startsWith('HEAD'));
        if (answer) return answer;
        if (ended) throw new Error(`closed after ${JSON.stringify(received)}`);
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}

export const WEBSOCKET =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

/** Checks that the server has answered before its router, so far. */
export async function quickChecks(call: Caller): Promise<number> {
  const { text } = await call('GET', '/metrics', { bearer: SERVICE_KEY });
  return Number(/^curfew_quick_checks_total (\d+)/m.exec(text)?.[1]);
}

/** One request on its own connection. */
export async function askOnce(port: number, text: string): Promise<Answer> {
  const { ask, socket } = converse(connect(port, '127.0.0.1'));
  const answer = await ask(text);
  socket.destroy();
  return answer;
}
