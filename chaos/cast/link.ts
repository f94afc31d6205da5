import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** How a link behaves: it passes data on, is cut, holds the data of one direction back (until it passes data on again), or is slow. */
export type Weather =
  | { kind: 'open' }
  | { kind: 'cut' }
  | { kind: 'hole'; up: boolean; down: boolean }
  | { kind: 'slow'; ms: number }
  /** For a link to the database: the delay of the answer to a read of the log. Everything else passes at once. */
  | { kind: 'late-reads'; ms: number };

/** The statement that reads the log, by its name on the wire. */
const LOG_READ = 'next_endings';

/** The link reads no more than this. The rest waits in the sender's own buffers. */
const MOST_WAITING = 256 * 1024;

/**
 * A connection between two processes through a port of our own, so that the test can cut it, hold it in one direction or both, and slow it
 * down. Data that a hole holds arrive when the hole closes, as late as TCP would send them again.
 */
export class Link {
  readonly name: string;
  #target: number;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #weather: Weather = { kind: 'open' };

  constructor(name: string, target: number) {
    this.name = name;
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, '127.0.0.1', resolve);
    });
  }

  /**
   * Leads to another port from now on.
   * @param some keeps every second open connection, as while a pool renews them after a change in the DNS. Otherwise all break, as with a
   * virtual IP address
   */
  lead(target: number, some = false): void {
    this.#target = target;
    let stays = false;
    for (const pair of this.#pairs) {
      stays = some && !stays;
      if (!stays) pair.reset();
    }
  }

  /** @param reset throws away what waited in a hole, with its connection, as when TCP has given up */
  set(weather: Weather, reset = false): void {
    this.#weather = weather;
    for (const pair of this.#pairs) {
      if (weather.kind === 'cut' || reset) pair.reset();
      else pair.look();
    }
  }

  close(): void {
    this.#server.close();
    for (const pair of this.#pairs) pair.destroy();
  }

  #accept(socket: Socket): void {
    if (this.#weather.kind === 'cut') {
      socket.on('error', () => undefined);
      reset(socket);
      return;
    }
    const pair = new Pair(
      socket,
      this.#target,
      () => this.#weather,
      () => this.#pairs.delete(pair),
    );
    this.#pairs.add(pair);
    pair.look();
  }
}

/** One connection: the near socket, the far one once the link is open, and the data under way in each direction. */
class Pair {
  readonly #near: Socket;
  readonly #port: number;
  readonly #weather: () => Weather;
  readonly #over: () => void;
  #far: Socket | null = null;
  readonly #up: Way;
  #down: Way | null = null;

  constructor(near: Socket, port: number, weather: () => Weather, over: () => void) {
    this.#near = near;
    this.#port = port;
    this.#weather = weather;
    this.#over = over;
    this.#up = new Way(
      near,
      () => this.#passes('up'),
      this.#delayMs,
      (chunk) => this.#asks(chunk),
    );
  }

  #asks(chunk: Buffer): void {
    const weather = this.#weather();
    if (weather.kind === 'late-reads' && chunk.includes(LOG_READ))
      this.#down?.notBefore(performance.now() + weather.ms);
  }

  readonly #delayMs = (): number => {
    const weather = this.#weather();
    return weather.kind === 'slow' ? weather.ms * (0.5 + Math.random()) : 0;
  };

  #passes(way: 'up' | 'down'): boolean {
    const weather = this.#weather();
    return weather.kind !== 'hole' || !weather[way];
  }

  /** The state of the link may have changed. */
  look(): void {
    // To open a connection needs a packet in each direction.
    if (this.#far === null && this.#passes('up') && this.#passes('down')) this.#connect();
    this.#up.pump();
    this.#down?.pump();
  }

  #connect(): void {
    const far = connect({ port: this.#port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    this.#far = far;
    this.#up.to(far);
    this.#down = new Way(far, () => this.#passes('down'), this.#delayMs);
    this.#down.to(this.#near);
    let closed = 0;
    for (const socket of [this.#near, far]) socket.once('close', () => ++closed === 2 && this.#over());
  }

  reset(): void {
    this.#stop();
    for (const socket of [this.#near, this.#far]) if (socket) reset(socket);
  }

  destroy(): void {
    this.#stop();
    this.#near.destroy();
    this.#far?.destroy();
  }

  #stop(): void {
    this.#up.stop();
    this.#down?.stop();
    if (this.#far === null) this.#over();
  }
}

/**
 * Ends a connection as if it broke. It only releases one that is shutting down, because Node 24 never ends a socket that it resets during
 * the shutdown.
 */
function reset(socket: Socket): void {
  if (socket.writableEnded || socket.destroyed) socket.destroy();
  else socket.resetAndDestroy();
}

/** A piece of data under way. null: the end. 'broken': the connection broke at the sender's side. */
type Piece = Buffer | null | 'broken';

/** One direction of a connection: data leave in the order in which they came in, when they are due and the link is open. */
class Way {
  readonly #from: Socket;
  readonly #isFree: () => boolean;
  readonly #delayMs: () => number;
  readonly #onChunk: ((chunk: Buffer) => void) | undefined;
  #to: Socket | null = null;
  #pieces: { piece: Piece; dueMs: number }[] = [];
  #bytes = 0;
  #dueMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, isFree: () => boolean, delayMs: () => number, onChunk?: (chunk: Buffer) => void) {
    this.#from = from;
    this.#isFree = isFree;
    this.#delayMs = delayMs;
    this.#onChunk = onChunk;
    // The close that follows shows it.
    from.on('error', () => undefined);
    from.on('data', (chunk: Buffer) => this.#take(chunk));
    from.on('end', () => this.#take(null));
    from.on('close', (failed) => failed && this.#take('broken'));
  }

  to(socket: Socket): void {
    this.#to = socket;
    socket.on('drain', () => this.pump());
  }

  #take(piece: Piece): void {
    this.#dueMs = Math.max(this.#dueMs, performance.now() + this.#delayMs());
    this.#pieces.push({ piece, dueMs: this.#dueMs });
    if (piece instanceof Buffer) {
      this.#bytes += piece.length;
      this.#onChunk?.(piece);
    }
    if (this.#bytes > MOST_WAITING) this.#from.pause();
    this.pump();
  }

  /** Data that come from now on are not passed on before this time. */
  notBefore(ms: number): void {
    this.#dueMs = Math.max(this.#dueMs, ms);
  }

  pump(): void {
    const to = this.#to;
    if (to === null || !this.#isFree()) return;
    for (let head = this.#pieces[0]; head !== undefined; head = this.#pieces[0]) {
      const waitMs = head.dueMs - performance.now();
      if (waitMs > 0) {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.pump(), waitMs);
        return;
      }
      if (to.writableLength > MOST_WAITING) return;
      this.#pieces.shift();
      if (head.piece === null) to.end();
      else if (head.piece === 'broken') reset(to);
      else {
        this.#bytes -= head.piece.length;
        if (to.writable) to.write(head.piece);
      }
    }
    if (this.#from.isPaused()) this.#from.resume();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#pieces = [];
  }
}
