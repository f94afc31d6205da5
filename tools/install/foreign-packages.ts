import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

interface Foreign {
  name: string;
  version: string;
  license: string;
  directory: string;
}

/** An import that remains in JavaScript. One of types alone does not. */
const IMPORT = /^(?:import|export) (?!type\b)(?:[^'"]* from )?['"]([^'"]+)['"]/gm;
const OWN = /^(?:\.|node:|virtual:|@curfew\/)/;

/** The packages of others that sources import, and the packages that these need: all that a bundle of the sources may contain. */
export function foreignPackages(root: string, folders: readonly string[]): Foreign[] {
  const found = new Map<string, Foreign>();
  const add = (name: string, from: string): void => {
    if (found.has(name)) return;
    const directory = homeOf(name, from);
    const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Foreign & {
      dependencies?: Record<string, string>;
    };
    const { version, license, dependencies = {} } = manifest;
    found.set(name, { name, version, license, directory });
    for (const needed of Object.keys(dependencies)) add(needed, directory);
  };
  for (const folder of folders)
    for (const specifier of importsIn(join(root, folder)))
      add(/^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier, join(root, folder));
  return [...found.values()];
}

function importsIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file))
    .flatMap((file) => [...readFileSync(join(folder, file), 'utf8').matchAll(IMPORT)])
    .map(([, specifier = '']) => specifier)
    .filter((specifier) => !OWN.test(specifier));
}

/** Where a package is installed, also one whose `exports` hide its manifest. */
function homeOf(name: string, from: string): string {
  const places = createRequire(join(from, 'package.json')).resolve.paths(name) ?? [];
  for (const place of places) {
    const directory = join(place, name);
    try {
      readFileSync(join(directory, 'package.json'));
      return directory;
    } catch {
      // Not here: the next place.
    }
  }
  throw new Error(`${name} is not installed`);
}
