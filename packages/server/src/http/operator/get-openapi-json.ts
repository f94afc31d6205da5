import { z } from '@hono/zod-openapi';
import { NOBODY } from '../../domain/caller-rule.ts';
import { json } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import { compressedFile, sendStatic, type StaticFile } from '../static-file.ts';
import type { Site } from '../environment.ts';

const files = new WeakMap<Site, Promise<StaticFile>>();

/** Written and compressed once, at the first request. */
function fileOf(site: Site): Promise<StaticFile> {
  let file = files.get(site);
  if (!file) {
    file = compressedFile('application/json', JSON.stringify(site.describe()));
    files.set(site, file);
  }
  return file;
}

export const getDescription = serveRow(
  {
    method: 'get',
    path: '/openapi.json',
    operationId: 'getDescription',
    tags: ['Operation'],
    summary: 'Get this description',
    caller: NOBODY,
    responses: {
      200: json('OpenAPI 3.1.', z.record(z.string(), z.unknown()), { openapi: '3.1.0' }),
      304: { description: 'Unchanged since the answer whose `ETag` is in `If-None-Match`.' },
    },
  },
  async ({ c }) => sendStatic(c, await fileOf(c.get('site'))),
);
