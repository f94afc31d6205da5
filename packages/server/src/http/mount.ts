import type { IncomingMessage } from 'node:http';
import { getPath } from 'hono/utils/url';
import type { Config } from '../config.ts';
import type { Router } from './contract/serve-families.ts';
import { readTarget } from './node-http/target.ts';

/* A program that embeds the authority may have it under a path of its own (CURFEW_BASE_PATH). Inside, addresses are without it. */

/** RFC 8414 section 3.1: the path of the issuer comes after this one. */
const METADATA = '/.well-known/oauth-authorization-server';

type Mount = Pick<Config, 'basePath' | 'publicPath'>;

/** The path of a request as the routes know it. Of a request for another place it is a path that no route can have. */
export function pathInside(request: Pick<Request, 'url'>, { basePath, publicPath }: Mount): string {
  const path = getPath(request as Request);
  if (publicPath !== '' && path === METADATA + publicPath) return METADATA;
  if (basePath === '') return path;
  if (path === basePath) return '/';
  return path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : `/..${path}`;
}

/** Whether a request is for the authority: under its base path, or without one for one of its addresses, but never for `/`. */
export function isForAuthority(router: Router, place: Mount, request: IncomingMessage | Request): boolean {
  const url =
    'httpVersion' in request ? `http://host${readTarget(request, place.basePath)?.url ?? '/'}` : request.url;
  const path = pathInside({ url }, place);
  if (place.basePath !== '') return !path.startsWith('/../');
  return path !== '/' && router.routes.some((route) => route.path !== '/*' && matches(route.path, path));
}

/** Whether a path is one of a route: `/users/:id`, `/admin/*`. */
export function matches(route: string, path: string): boolean {
  const own = route.split('/');
  const given = path.split('/');
  if (own.at(-1) === '*') {
    own.pop();
    given.length = Math.min(given.length, own.length);
  }
  return own.length === given.length && own.every((part, i) => part.startsWith(':') || part === given[i]);
}
