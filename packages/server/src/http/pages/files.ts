import type { Call } from '../environment.ts';
import { refuse } from '../respond.ts';
import type { Built, StaticFile } from './built.ts';

const FOR_EVER = 'public, max-age=31536000, immutable';
/** A name that stays: kept, and asked for each time whether it is still the same. */
const ASK_EACH_TIME = 'public, no-cache';

/** `GET /pages/<name>`: a file of the build by its name, out of a closed list. */
export function sendFile(c: Call, built: Built): Response {
  const file = built.content.get(c.req.param('file') ?? '');
  if (!file) return refuse(c, 'not_found');
  c.header('vary', 'Accept-Encoding', { append: true });
  c.header('cache-control', file.immutable ? FOR_EVER : ASK_EACH_TIME);
  c.header('etag', file.etag);
  if (!file.immutable) openToAll(c);
  if (matches(c.req.header('if-none-match'), file.etag)) return c.body(null, 304);
  const coding = [...file.coded.keys()].find((name) => accepts(c.req.header('accept-encoding'), name));
  if (coding !== undefined) c.header('content-encoding', coding);
  return c.body(bytesOf(file, coding), 200, { 'content-type': file.type });
}

function bytesOf(file: StaticFile, coding: string | undefined): Uint8Array<ArrayBuffer> {
  return (coding === undefined ? undefined : file.coded.get(coding)) ?? file.content;
}

/** The elements are loaded by pages of other origins; the file is the same for everybody. */
function openToAll(c: Call): void {
  c.header('cross-origin-resource-policy', 'cross-origin');
  const trusted = c.get('world').config.trustedOrigins.has(c.req.header('origin') ?? '');
  if (!trusted) c.header('access-control-allow-origin', '*');
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
