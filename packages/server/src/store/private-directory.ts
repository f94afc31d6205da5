import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeFS } from '@electric-sql/pglite/nodefs';
import { OpenDirectory } from './open-errors.ts';

const OTHERS = 0o077;

/**
 * Creates the data directory, or checks that only its user can access it, as PostgreSQL does: it holds signing keys, password
 * hashes and sessions. An empty one is closed to others; in a closed one, open files are closed too.
 * @throws OpenDirectory
 */
export function closeToOthers(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const probe = mkdtempSync(join(directory, 'probe-'));
  const made = statSync(probe);
  rmdirSync(probe);
  // Windows and file systems like FAT have no such modes, or one owner for everything.
  if (process.getuid === undefined || (made.mode & OTHERS) !== 0 || made.uid !== process.geteuid?.()) return;
  const { mode, uid } = statSync(directory);
  if (uid !== made.uid)
    throw new OpenDirectory(
      `${directory} belongs to another user (${uid}), who could read and change all sessions. Run Curfew as that user, change the owner (chown -R ${made.uid} ${directory}), or set CURFEW_DATA to another directory.`,
    );
  if ((mode & OTHERS) !== 0) {
    if (readdirSync(directory).length > 0)
      throw new OpenDirectory(
        `other users can read ${directory}, which holds signing keys and sessions. Restrict access: chmod 700 ${directory}`,
      );
    chmodSync(directory, 0o700);
  }
  closeInside(directory);
}

function closeInside(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isSymbolicLink()) continue;
    const { mode } = lstatSync(path);
    if ((mode & OTHERS) !== 0) chmodSync(path, mode & 0o700);
    if (entry.isDirectory()) closeInside(path);
  }
}

/** The parts of PGlite's file system that create files and set their modes: they open every file to everybody, whatever the umask. */
interface Modes {
  FS: Record<'chmod' | 'mknod', (path: unknown, mode: number, ...more: unknown[]) => unknown>;
}

/** Makes the engine's new files accessible to their user only. */
export function withoutOthers(files: NodeFS): NodeFS {
  return beforeRun(files, (module) => {
    const { FS } = module as Modes;
    for (const name of ['chmod', 'mknod'] as const) {
      const given = FS[name].bind(FS);
      FS[name] = (path, mode, ...more) => given(path, mode & ~OTHERS, ...more);
    }
  });
}

/** Changes the file system's operations before the engine runs. */
export function beforeRun(files: NodeFS, change: (module: unknown) => void): NodeFS {
  const init = files.init.bind(files);
  files.init = (engine, options) =>
    init(engine, { ...options, preRun: [...(options.preRun ?? []), change] } as typeof options);
  return files;
}
