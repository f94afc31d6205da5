/** A back end with verifiers, which continually check the credentials that they receive. A process of the chaos test; main.ts starts it. */
import { createVerifier, type Verified, type Verifier } from '@curfew/verifier';
import type { BackEndSettings, FromBackEnd, Presented, ToBackEnd } from './cast/messages.ts';
import { now, Recorder } from './recorder.ts';

/** Between two checks of one worker. */
const EVERY_MS = 4;
const WORKERS = 2;
/** Between two checks of a session that is being logged out. */
const PRESS_MS = 5;
const PRESS_ON_MS = 150;
const PRESS_MOST_MS = 20_000;
const RECENT = 60;
const AT_LAST = 4;
/** For how long the last look repeats a check without a yes or no: this machine may be busy. */
const LAST_MS = 30_000;
const AGAIN_MS = 200;

const settings = JSON.parse(process.argv[2] ?? '') as BackEndSettings;
const recorder = new Recorder(settings.file, settings.who);
const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));
const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(Math.random() * list.length)];
const tell = (message: FromBackEnd): void => void process.send?.(message);

const all: Presented[] = [];
const bySession = new Map<number, Presented[]>();
/** Logouts under way: the sessions, and when pressing them ends. */
const pressed = new Map<number, { list: number[]; untilMs: number }>();
let resting = false;

class Surface {
  readonly #name: string;
  readonly #verifier: Verifier;
  /** The fault on purpose: it believes a yes for so many milliseconds. */
  readonly #believesMs: number;
  readonly #believed = new Map<string, number>();

  constructor(name: string, verifier: Verifier, believesMs = 0) {
    this.#name = name;
    this.#verifier = verifier;
    this.#believesMs = believesMs;
  }

  /** @returns whether the answer was a yes or a no */
  async check(presented: Presented): Promise<boolean> {
    const b = now();
    const verified = this.#believes(presented) ?? (await this.#verifier.verify(presented.text));
    this.#record(presented, b, verified);
    return verified.ok || (verified.reason !== 'stale' && verified.reason !== 'unavailable');
  }

  /** The same without waiting, if memory can answer. */
  checkNow(presented: Presented): void {
    const b = now();
    const verified = this.#verifier.verifyNow(presented.text);
    if (verified) this.#record(presented, b, verified);
  }

  #record({ s, sid, kind, text }: Presented, b: number, verified: Verified): void {
    const e = now();
    const wrong = verified.ok && sid !== null && verified.session.sid !== sid;
    const o = wrong ? 'wrong' : verified.ok ? verified.by : verified.reason;
    recorder.write({ t: this.#believesMs > 0 ? 'believer' : 'c', b, e, w: this.#name, s, k: kind, o });
    if (this.#believesMs > 0 && verified.ok && !this.#believed.has(text))
      this.#believed.set(text, performance.now() + this.#believesMs);
  }

  #believes({ text, sid }: Presented): Verified | undefined {
    const until = this.#believed.get(text);
    if (until === undefined) return undefined;
    if (performance.now() < until) return { ok: true, session: { sid }, by: 'memory' } as unknown as Verified;
    this.#believed.delete(text);
    return undefined;
  }
}

const verifiers = settings.verifiers.map(({ name, authority, onStale }) =>
  createVerifier({
    authority,
    serviceKey: settings.serviceKey,
    audience: settings.audience,
    onStale,
    log: (level, message, details) =>
      process.stdout.write(`${now()} ${name} ${level} ${message} ${JSON.stringify(details ?? {})}\n`),
  }),
);
const sound = verifiers.map(
  (verifier, i) => new Surface(`${settings.verifiers[i]?.name}#${process.pid}`, verifier),
);
const [first] = verifiers;
const surfaces =
  first && settings.believesMs > 0 ? [...sound, new Surface('believer', first, settings.believesMs)] : sound;

async function work(surface: Surface): Promise<void> {
  for (let turn = 0; !resting; turn++) {
    // Mostly young sessions, but also old ones, above all sessions that ended long ago.
    const presented = Math.random() < 0.6 ? pick(all.slice(-RECENT)) : pick(all);
    if (presented && turn % 4 === 0) surface.checkNow(presented);
    else if (presented) await surface.check(presented);
    await pause(EVERY_MS * settings.slower);
  }
}

async function press(id: number, surface: Surface): Promise<void> {
  for (let logout = pressed.get(id); logout && !resting; logout = pressed.get(id)) {
    if (performance.now() > logout.untilMs) break;
    for (const s of logout.list) {
      const presented = pick(bySession.get(s) ?? []);
      if (presented) await surface.check(presented);
    }
    await pause(PRESS_MS * settings.slower);
  }
  pressed.delete(id);
}

async function lookAtAll(surface: Surface): Promise<void> {
  const queue = Array.from(bySession.values());
  const untilMs = performance.now() + LAST_MS;
  const worker = async (): Promise<void> => {
    for (let list = queue.pop(); list; list = queue.pop()) {
      const last = list.at(-1);
      while (last && !(await surface.check(last)) && performance.now() < untilMs) await pause(AGAIN_MS);
    }
  };
  await Promise.all(Array.from({ length: AT_LAST }, worker));
}

function hear(message: ToBackEnd): void {
  switch (message.t) {
    case 'credentials':
      for (const presented of message.list) {
        all.push(presented);
        const list = bySession.get(presented.s);
        if (list) list.push(presented);
        else bySession.set(presented.s, [presented]);
      }
      return;
    case 'press':
      pressed.set(message.id, { list: message.list, untilMs: performance.now() + PRESS_MOST_MS });
      for (const surface of surfaces) void press(message.id, surface);
      return;
    case 'release': {
      const logout = pressed.get(message.id);
      if (logout) logout.untilMs = performance.now() + PRESS_ON_MS;
      return;
    }
    case 'rest':
      resting = true;
      return;
    case 'last look':
      void Promise.all(sound.map(lookAtAll)).then(() => tell({ t: 'looked' }));
      return;
    case 'end':
      recorder.close();
      void Promise.all(verifiers.map((verifier) => verifier.close())).then(() => process.exit(0));
  }
}

process.on('message', (message) => hear(message as ToBackEnd));
// The parent process has ended.
process.on('disconnect', () => process.exit(1));
for (const surface of surfaces) for (let i = 0; i < WORKERS; i++) void work(surface);
tell({ t: 'ready' });
