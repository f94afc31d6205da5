import type { Call } from '../environment.ts';
import { refuse } from '../respond.ts';
import { sendStatic } from '../static-file.ts';
import type { Built } from './built.ts';

/** `GET /pages/<name>`: a file of the build, from a closed list of names. */
export function sendFile(c: Call, built: Built): Response {
  const file = built.content.get(c.req.param('file') ?? '');
  if (!file) return refuse(c, 'not_found');
  if (!file.immutable) openToAll(c);
  return sendStatic(c, file);
}

/** Pages of other origins load the elements; the file is the same for everybody. */
function openToAll(c: Call): void {
  c.header('cross-origin-resource-policy', 'cross-origin');
  const trusted = c.get('world').config.trustedOrigins.has(c.req.header('origin') ?? '');
  if (!trusted) c.header('access-control-allow-origin', '*');
}
