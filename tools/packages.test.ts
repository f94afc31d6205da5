/** What a user of the packages and a newcomer to the repository install, and what they do not. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

interface Manifest {
  files: string[];
  workspaces: string[];
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}
const manifest = (path: string): Manifest =>
  JSON.parse(readFileSync(join(ROOT, path, 'package.json'), 'utf8')) as Manifest;

test.each(['client', 'server', 'verifier'])(
  'the package %s carries its sources, what is built from them and the notices of others, and nothing else',
  (name) => {
    const built = ['dist', 'src'];
    expect(manifest(`packages/${name}`).files).toEqual(
      name === 'server' ? [...built, 'db', 'assets', 'THIRD-PARTY-NOTICES'] : built,
    );
  },
);

test('npm ci installs nothing that only the peers of the benchmark need', () => {
  const { workspaces, devDependencies } = manifest('.');
  expect(workspaces).toEqual(['packages/*']);
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: object;
  };
  const peers = Object.keys(manifest('bench/peers').dependencies ?? {});
  // The examples and the verifier's tests use the first two, and the server uses the driver.
  const shared = ['express', 'fastify', 'pg'];
  expect(peers.filter((name) => !shared.includes(name))).not.toEqual([]);
  for (const name of peers.filter((one) => !shared.includes(one)))
    expect([name, name in (devDependencies ?? {}), `node_modules/${name}` in packages]).toEqual([
      name,
      false,
      false,
    ]);
});
