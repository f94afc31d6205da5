import { connect, type Socket } from 'node:net';

export interface Answer {
  /** 0 when the connection broke before the answer was complete. */
  status: number;
  body: string;
}

const CONTENT_LENGTH = /\r\ncontent-length: *(\d+)/i;
const CHUNKED = /\r\ntransfer-encoding: *chunked/i;
const HEAD_END = Buffer.from('\r\n\r\n');

/**
 * One keep-alive HTTP/1.1 connection with one request in flight, on a bare socket: a client library would cost more than the measured
 * servers. It reads only as much of an answer as it needs to find the end.
 */
export class Connection {
  readonly #port: number;
  readonly #wantsBody: boolean;
  #socket: Socket | undefined;
  #pending: Buffer | undefined;
  #onAnswer: ((answer: Answer) => void) | undefined;

  constructor(port: number, { body = false }: { body?: boolean } = {}) {
    this.#port = port;
    this.#wantsBody = body;
  }

  get busy(): boolean {
    return this.#onAnswer !== undefined;
  }

  /** Resolves when the connection is open, so that the timed part contains no handshake. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
      this.#socket = socket;
      this.#pending = undefined;
      socket.once('connect', resolve);
      socket.once('error', reject);
      socket.on('data', (chunk) => this.#read(chunk));
      socket.on('close', () => {
        if (this.#socket === socket) this.#socket = undefined;
        this.#finish({ status: 0, body: '' });
      });
    });
  }

  /** A callback and not a promise: at 60,000 answers a second, promises would slow the load down. */
  send(wire: string | Buffer, onAnswer: (answer: Answer) => void): void {
    if (this.#onAnswer !== undefined) throw new Error('one request at a time');
    this.#onAnswer = onAnswer;
    if (this.#socket !== undefined) {
      this.#socket.write(wire);
      return;
    }
    // The server may close an idle connection. This opens a new one, while the caller's clock runs on.
    this.open().then(
      () => this.#socket?.write(wire),
      () => this.#finish({ status: 0, body: '' }),
    );
  }

  ask(wire: string | Buffer): Promise<Answer> {
    return new Promise((resolve) => this.send(wire, resolve));
  }

  close(): void {
    this.#socket?.destroy();
  }

  #finish(answer: Answer): void {
    const onAnswer = this.#onAnswer;
    this.#onAnswer = undefined;
    this.#pending = undefined;
    onAnswer?.(answer);
  }

  #read(chunk: Buffer): void {
    const bytes = this.#pending === undefined ? chunk : Buffer.concat([this.#pending, chunk]);
    const headEnd = bytes.indexOf(HEAD_END);
    if (headEnd < 0) {
      this.#pending = bytes;
      return;
    }
    const head = bytes.toString('latin1', 0, headEnd);
    const status = Number(head.slice(9, 12));
    const bodyStart = headEnd + 4;
    const length = CONTENT_LENGTH.exec(head);
    if (length === null && CHUNKED.test(head)) {
      const body = readChunks(bytes, bodyStart);
      if (body === undefined) this.#pending = bytes;
      else this.#finish({ status, body: this.#wantsBody ? body : '' });
      return;
    }
    const bodyEnd = bodyStart + Number(length?.[1] ?? 0);
    if (bytes.length < bodyEnd) {
      this.#pending = bytes;
      return;
    }
    this.#finish({ status, body: this.#wantsBody ? bytes.toString('utf8', bodyStart, bodyEnd) : '' });
  }
}

/** The joined chunks, or undefined while the last one is missing. */
function readChunks(bytes: Buffer, from: number): string | undefined {
  const parts: Buffer[] = [];
  let at = from;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const chunkEnd = lineEnd + 2 + size;
    if (bytes.length < chunkEnd + 2) return undefined;
    if (size === 0) return Buffer.concat(parts).toString('utf8');
    parts.push(bytes.subarray(lineEnd + 2, chunkEnd));
    at = chunkEnd + 2;
  }
}
