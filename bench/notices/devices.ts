import { setTimeout as sleep } from 'node:timers/promises';
import { type Notice, NOTICES_PROTOCOL } from '@curfew/protocol/notices';
import { WebSocket } from 'ws';
import { Connection } from '../load/connection.ts';
import { isSuccess } from '../load/figures.ts';
import { Latencies } from '../load/latencies.ts';

/** The requests to a process that simulates many devices. Each device has a WebSocket of its own. */
export type Job =
  | { kind: 'open'; port: number; headers: string[] }
  | { kind: 'state' }
  /** Ends the session of each device in turn, over another connection. */
  | { kind: 'logouts'; port: number; logouts: string[]; everyMs: number }
  /** Waits until all that are open are closed. */
  | { kind: 'closed' }
  | { kind: 'close' };

export interface LogoutTimes {
  /** From the request of the logout to its notice. */
  askedP50: number;
  askedP99: number;
  /** From the answer of the logout to its notice; below zero when the notice came first. */
  answeredP50: number;
  answeredP99: number;
  missing: number;
}

export interface Closed {
  /** When the last device had received the reason, in milliseconds since 1970. */
  lastMs: number;
  told: number;
}

interface Device {
  ws: WebSocket;
  toldMs: Promise<number>;
}

const AT_ONCE = 100;
const PATIENCE_MS = 60_000;
let devices: Device[] = [];

function openOne(port: number, authorization: string): Promise<Device | null> {
  return new Promise((resolve) => {
    const ws = new WebSocket(`ws://127.0.0.1:${port}/v1/notices`, [NOTICES_PROTOCOL], {
      headers: { authorization },
      perMessageDeflate: false,
    });
    let tell: (ms: number) => void = () => undefined;
    const device = { ws, toldMs: new Promise<number>((told) => (tell = told)) };
    ws.on('message', (data: Buffer) => {
      const nowMs = performance.now();
      const notice = JSON.parse(data.toString()) as Notice;
      if (notice.type === 'hello') resolve(device);
      if (notice.type === 'session.ended') tell(nowMs);
    });
    ws.on('error', () => resolve(null));
    ws.on('close', () => resolve(null));
  });
}

/** A node accepts a limited number in a second. This asks it again. */
async function open(port: number, headers: readonly string[]): Promise<{ open: number; seconds: number }> {
  const began = performance.now();
  let waiting = [...headers];
  while (waiting.length > 0) {
    if (performance.now() - began > PATIENCE_MS) throw new Error(`${waiting.length} sockets were not opened`);
    const refused: string[] = [];
    for (let i = 0; i < waiting.length; i += AT_ONCE) {
      const batch = waiting.slice(i, i + AT_ONCE);
      const opened = await Promise.all(batch.map((header) => openOne(port, header)));
      opened.forEach((device, at) => {
        if (device) devices.push(device);
        else refused.push(batch[at] as string);
      });
    }
    waiting = refused;
    if (waiting.length > 0) await sleep(100);
  }
  return { open: devices.length, seconds: (performance.now() - began) / 1000 };
}

async function logouts({ port, logouts: asked, everyMs }: Job & { kind: 'logouts' }): Promise<LogoutTimes> {
  const connection = new Connection(port, { body: true });
  await connection.open();
  const sinceAsked = new Latencies();
  const sinceAnswered = new Latencies();
  let missing = 0;
  for (const [i, request] of asked.entries()) {
    const device = devices[i] as Device;
    const askedMs = performance.now();
    const { status, body } = await connection.ask(request);
    const answeredMs = performance.now();
    if (!isSuccess(status)) throw new Error(`a logout answered ${status}: ${body.slice(0, 100)}`);
    const toldMs = await Promise.race([device.toldMs, sleep(5000, null)]);
    if (toldMs === null) missing += 1;
    else {
      sinceAsked.add(toldMs - askedMs);
      sinceAnswered.add(toldMs - answeredMs);
    }
    await sleep(everyMs);
  }
  connection.close();
  const [askedP50 = 0, askedP99 = 0] = sinceAsked.quantiles(0.5, 0.99);
  const [answeredP50 = 0, answeredP99 = 0] = sinceAnswered.quantiles(0.5, 0.99);
  return { askedP50, askedP99, answeredP50, answeredP99, missing };
}

async function closed(): Promise<Closed> {
  const open = devices.filter(({ ws }) => ws.readyState === WebSocket.OPEN);
  const told = await Promise.race([Promise.all(open.map(({ toldMs }) => toldMs)), sleep(PATIENCE_MS, null)]);
  if (told === null) throw new Error('not all devices were told');
  return { lastMs: performance.timeOrigin + Math.max(...told), told: told.length };
}

async function run(job: Job): Promise<object> {
  switch (job.kind) {
    case 'open':
      return open(job.port, job.headers);
    case 'state':
      return { open: devices.filter(({ ws }) => ws.readyState === WebSocket.OPEN).length };
    case 'logouts':
      return logouts(job);
    case 'closed':
      return closed();
    case 'close':
      for (const { ws } of devices) ws.terminate();
      devices = [];
      return {};
  }
}

process.on('message', (job: Job) => {
  run(job).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
  );
});
process.on('disconnect', () => process.exit());
process.send?.({ ready: true });
