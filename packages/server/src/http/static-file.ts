import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import type { Call } from './environment.ts';

/** A file ready to send, plain and compressed by coding. Prepared once. */
export interface StaticFile {
  type: string;
  etag: string;
  /** Its name changes with its content, so it may be cached for ever. */
  immutable: boolean;
  content: Uint8Array<ArrayBuffer>;
  coded: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
}

const FOR_EVER = 'public, max-age=31536000, immutable';
/** A fixed name: cached, and revalidated each time. */
const ASK_EACH_TIME = 'public, no-cache';

export function staticFile(
  type: string,
  content: Uint8Array<ArrayBuffer>,
  coded: StaticFile['coded'],
  immutable = false,
): StaticFile {
  const etag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`;
  return { type, etag, immutable, content, coded };
}

/** Compressed off the event loop, once. */
export async function compressedFile(type: string, text: string | Uint8Array): Promise<StaticFile> {
  const content = new Uint8Array(Buffer.from(text));
  const zipped = await promisify(gzip)(content, { level: constants.Z_BEST_COMPRESSION });
  return staticFile(type, content, new Map([['gzip', new Uint8Array(zipped)]]));
}

/** Sends the file, or 304 to a client that has it (RFC 9110 section 13.1.2). */
export function sendStatic(c: Call, file: StaticFile): Response {
  c.header('vary', 'Accept-Encoding', { append: true });
  c.header('cache-control', file.immutable ? FOR_EVER : ASK_EACH_TIME);
  c.header('etag', file.etag);
  if (matches(c.req.header('if-none-match'), file.etag)) return c.body(null, 304);
  const coding = [...file.coded.keys()].find((name) => accepts(c.req.header('accept-encoding'), name));
  const bytes = coding === undefined ? undefined : file.coded.get(coding);
  if (coding !== undefined) c.header('content-encoding', coding);
  return c.body(bytes ?? file.content, 200, { 'content-type': file.type });
}

function accepts(header: string | undefined, coding: string): boolean {
  return (header ?? '').split(',').some((item) => {
    const [name, ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    return name === coding && !parameters.some((one) => /^q=0(\.0*)?$/.test(one));
  });
}

function matches(header: string | undefined, etag: string): boolean {
  return (header ?? '').split(',').some((one) => {
    const tag = one.trim().replace(/^W\//, '');
    return tag === etag || tag === '*';
  });
}
