/** Who may import and use what in the packages. The rules of the whole tree are in tidy/. */
import { posix } from 'node:path';
import { type SourceFile, withoutComments } from './tidy/source.ts';

/** The rooms of `packages/server/src`, from top to bottom. A file imports from its own level and from those below. */
const ladder = [
  ['main.ts', 'cli'],
  ['authority.ts', 'trials.ts', 'index.ts'],
  ['http'],
  ['actions'],
  ['world'],
  ['cluster', 'cache', 'keys'],
  ['store'],
  ['config.ts', 'command-settings.ts', 'setting-options.ts', 'settings.ts', 'system'],
  ['domain'],
];

/** The files that may read the environment or end the process. */
const processRooms = ['main.ts', 'cli', 'config.ts'];
const processFiles = ['system/end-process.ts'];

/** What the domain may import besides itself: computation only, nothing that reads a clock, a socket or a disk. */
const domainMayImport = ['@curfew/protocol', 'node:crypto', 'node:zlib', 'bowser'];

/**
 * Time comes in through `System`, so that a test can stop it. The exceptions are the source of time, a command's own waiting, and what runs
 * before or after a node.
 */
const timeRooms = ['main.ts', 'cli'];
const timeFiles = ['system/timers.ts', 'system/real.ts', 'system/log-output.ts', 'store/start-lock.ts'];
const ownTime =
  /\b(setTimeout|setInterval|Date\.now|performance\.now|AbortSignal\.timeout)\b|'node:timers(\/promises)?'|\bnew Date\(\)/;

/** Returns the faults in the sources below `packages/<name>/src`, given with each package's `package.json`. */
export function findFaults(files: SourceFile[]): string[] {
  const faults: string[] = [];
  const sources = files.flatMap((file) => {
    const match = /^(packages\/[^/]+)\/src\/(.+\.tsx?)$/.exec(file.path);
    return match === null ? [] : [{ ...file, home: match[1] as string, inner: match[2] as string }];
  });

  for (const { path, source, home, inner } of sources) {
    const fault = (text: string): number => faults.push(`${path}: ${text}`);
    const code = withoutComments(source);
    const room = inner.split('/')[0] as string;

    if (/^\s*export\s*\*/m.test(code)) fault('`export *` hides what is public');
    if (
      /\bprocess\s*(\.|\[')(env|exit)\b|'node:process'/.test(code) &&
      !processRooms.includes(room) &&
      !processFiles.includes(inner)
    ) {
      fault(`only ${[...processRooms, ...processFiles].join(', ')} may use process.env and process.exit`);
    }
    const found = ownTime.exec(code)?.[0];
    if (
      found !== undefined &&
      home === 'packages/server' &&
      !timeRooms.includes(room) &&
      !timeFiles.includes(inner)
    ) {
      fault(`uses ${found}: time comes from System (now, monotonicMs, after, every)`);
    }
    if (home === 'packages/server' && level(room) < 0) fault(`"${room}" has no place on the ladder`);

    for (const target of importsOf(code)) {
      if (!target.startsWith('.')) {
        checkBare(target, home, room, files, fault);
        continue;
      }
      const resolved = posix.join(posix.dirname(path), target);
      if (!resolved.startsWith(`${home}/src/`)) fault(`imports ${target}, outside its package`);
      const below = resolved.slice(`${home}/src/`.length).split('/')[0] as string;
      if (home === 'packages/server' && level(below) < level(room)) fault(`imports ${target}, up the ladder`);
      // A command is a client of its own: it works on the world, or asks over HTTP.
      if (home === 'packages/server' && room === 'cli' && below === 'http')
        fault(`imports ${target}, but the command line knows nothing of http/`);
    }
  }
  return faults;
}

function level(room: string): number {
  return ladder.findIndex((rooms) => rooms.includes(room));
}

function checkBare(
  target: string,
  home: string,
  room: string,
  files: SourceFile[],
  fault: (text: string) => void,
): void {
  const name = target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/');
  if (home === 'packages/protocol') return fault(`imports ${target}, but the protocol stands alone`);
  if (home === 'packages/server' && room === 'domain' && !domainMayImport.includes(name)) {
    return fault(`imports ${target}, but the domain knows only itself and ${domainMayImport.join(', ')}`);
  }
  if (target.startsWith('node:')) return;
  const manifest = files.find((file) => file.path === `${home}/package.json`);
  const { dependencies, peerDependencies, devDependencies } = JSON.parse(manifest?.source ?? '{}') as Record<
    string,
    object
  >;
  // The build copies what a package imports from this repository into its `dist`.
  const named = name.startsWith('@curfew/') ? devDependencies : { ...dependencies, ...peerDependencies };
  if (!(name in { ...named })) fault(`imports ${name}, which package.json does not name`);
}

function importsOf(code: string): string[] {
  const patterns = [
    /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm,
    /^\s*import\s*['"]([^'"]+)['"]/gm,
    /\bimport\(\s*['"]([^'"]+)['"]/g,
  ];
  return patterns.flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1] as string));
}
