import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { tarballOf } from './tarball.ts';

interface Installed {
  manifest: { name: string; version: string };
  directory: string;
}

/**
 * A package registry on loopback with exactly what `npm ci` installed in this checkout, so that a test of an installation needs no
 * network. npm resolves versions, peers and optional packages against it as against any other.
 */
export async function serveInstalled(root: string): Promise<{ url: string; close: () => Promise<void> }> {
  const byName = Map.groupBy(installed(root), ({ manifest }) => manifest.name);
  const server: Server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '').slice(1);
    const [name = '', version] = path.split('/-/');
    const versions = byName.get(name);
    const one = versions?.find(({ manifest }) => manifest.version === version);
    if (one) response.end(tarballOf(one.directory));
    else if (versions && version === undefined) response.end(JSON.stringify(describe(name, versions)));
    else response.writeHead(404).end();
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const describe = (name: string, versions: Installed[]): object => ({
    name,
    'dist-tags': { latest: versions[0]?.manifest.version },
    versions: Object.fromEntries(
      versions.map(({ manifest }) => [
        manifest.version,
        { ...manifest, dist: { tarball: `${url}/${name}/-/${manifest.version}` } },
      ]),
    ),
  });
  return { url, close: () => new Promise((done) => server.close(() => done())) };
}

/** The packages of the lockfile that are here; those for other platforms are not. */
function installed(root: string): Installed[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { link?: boolean }>;
  };
  return Object.entries(packages).flatMap(([path, { link }]) => {
    const directory = join(root, path);
    const file = join(directory, 'package.json');
    if (link || !path.includes('node_modules/') || !existsSync(file)) return [];
    return [{ directory, manifest: JSON.parse(readFileSync(file, 'utf8')) as Installed['manifest'] }];
  });
}
