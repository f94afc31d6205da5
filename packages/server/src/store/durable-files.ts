import { closeSync, fsyncSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { NodeFS } from '@electric-sql/pglite/nodefs';
import { beforeRun } from './private-directory.ts';

/** The disk refused a write of the embedded database: commits that are not on it yet cannot be promised. */
export class DiskFailure extends Error {
  override name = 'DiskFailure';
  constructor(directory: string, what: string, code: string) {
    const isFull = code === 'ENOSPC' || code === 'EDQUOT';
    super(
      `the disk of ${directory} ${isFull ? 'is full' : 'failed'} (${what}: ${code}). Every logout and login that was answered is stored; those in progress are not. ${isFull ? 'Free some space' : 'Check the disk'}, and start Curfew again.`,
    );
  }
}

/** Files, directories and open files of the engine's file system (Emscripten's NODEFS). */
type FileNode = { mode: number };
type Stream = { nfd: number; node: FileNode };
type Operation = (...parameters: unknown[]) => unknown;
interface Engine {
  FS: { isDir: (mode: number) => boolean };
  NODEFS: {
    realPath: (node: FileNode) => string;
    node_ops: Record<string, Operation>;
    stream_ops: Record<string, Operation>;
  };
}

/** Emscripten's error numbers for faults of the disk. */
const DISK_FAULTS: Record<number, string> = { 19: 'EDQUOT', 29: 'EIO', 51: 'ENOSPC', 69: 'EROFS' };
/** Turns a fault of the disk into a DiskFailure; other errors pass. */
export function diskFailureOf(directory: string, error: unknown): unknown {
  const code = codeOf(error);
  if (!Object.values(DISK_FAULTS).includes(code)) return error;
  return new DiskFailure(directory, (error as NodeJS.ErrnoException).syscall ?? 'write', code);
}

const CHANGES = ['mknod', 'rename', 'unlink', 'rmdir', 'setattr'];

/** Errors of file systems that cannot sync directories. PostgreSQL ignores them too. */
const NO_SYNC_OF_DIRECTORIES = ['EINVAL', 'EBADF', 'ENOTSUP', 'EPERM', 'EISDIR', 'EACCES'];

/**
 * Adds fsync to the engine's file system, which has none, and ends the process when the disk fails. Retrying is not safe: after a
 * failed fsync the kernel may have dropped the pages, and the next fsync succeeds.
 * @param onFailure ends the process. It must not throw, because the engine would take that for an error of one statement.
 */
export function withDisk(
  files: NodeFS,
  directory: string,
  options: { fsync: boolean; onFailure: (failure: DiskFailure) => never },
): NodeFS {
  const fail = (what: string, code: string): never =>
    options.onFailure(new DiskFailure(directory, what, code));
  return beforeRun(files, (module) => {
    const engine = module as Engine;
    endOnFault(engine, fail);
    if (options.fsync) addSync(engine, fail);
  });
}

type Fail = (what: string, code: string) => never;

function endOnFault({ NODEFS: { node_ops, stream_ops } }: Engine, fail: Fail): void {
  // All of it: a disk that is nearly full takes a part and reports success.
  stream_ops['write'] = (...parameters) => {
    const [stream, from, offset, length, position] = parameters as [
      Stream,
      Uint8Array,
      number,
      number,
      number,
    ];
    try {
      for (let done = 0; done < length; )
        done += writeSync(stream.nfd, from, offset + done, length - done, position + done);
      return length;
    } catch (error) {
      return fail('write', codeOf(error));
    }
  };
  for (const operations of [node_ops, stream_ops])
    for (const name of CHANGES) {
      const given = operations[name];
      if (given)
        operations[name] = (...parameters) => {
          try {
            return given(...parameters);
          } catch (error) {
            const code = DISK_FAULTS[(error as { errno?: number }).errno ?? 0];
            if (code === undefined) throw error;
            return fail(name, code);
          }
        };
    }
}

function addSync({ FS, NODEFS }: Engine, fail: Fail): void {
  const { node_ops, stream_ops } = NODEFS;
  /**
   * Directories with new entries. PostgreSQL syncs those that it renames in, and leaves the names of new table files to the file
   * system, which POSIX does not promise to keep.
   */
  const changed = new Set<string>();
  const make = node_ops['mknod'] as Operation;
  node_ops['mknod'] = (...parameters) => {
    const made = make(...parameters);
    changed.add(NODEFS.realPath(parameters[0] as FileNode));
    return made;
  };
  stream_ops['fsync'] = (given) => {
    const { nfd, node } = given as Stream;
    for (const directory of changed) {
      changed.delete(directory);
      try {
        syncDirectory(directory);
      } catch (error) {
        fail('fsync of a directory', codeOf(error));
      }
    }
    try {
      fsyncSync(nfd);
    } catch (error) {
      if (!FS.isDir(node.mode) || !NO_SYNC_OF_DIRECTORIES.includes(codeOf(error)))
        fail('fsync', codeOf(error));
    }
  };
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error);

function syncDirectory(path: string): void {
  try {
    const descriptor = openSync(path, 'r');
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    if (!NO_SYNC_OF_DIRECTORIES.includes(codeOf(error))) throw error;
  }
}

/** Renames a file that is on the disk already, and syncs the new name. */
export function renameDurably(from: string, to: string): void {
  renameSync(from, to);
  syncDirectory(dirname(to));
}

/**
 * Writes a file so that after a power cut it is whole or absent.
 * @throws DiskFailure
 */
export function writeDurably(path: string, text: string): void {
  const unfinished = `${path}.unfinished`;
  try {
    writeFileSync(unfinished, text, { mode: 0o600, flush: true });
    renameDurably(unfinished, path);
  } catch (error) {
    throw diskFailureOf(dirname(path), error);
  }
}

const AT_A_TIME = 32;

/**
 * Syncs a directory and everything in it: files of a run without fsync, or put there by others, may be in the kernel's memory
 * only.
 * @throws DiskFailure
 */
export async function syncAll(directory: string): Promise<void> {
  try {
    await syncTree(directory);
    syncDirectory(dirname(directory));
  } catch (error) {
    throw new DiskFailure(directory, 'fsync', codeOf(error));
  }
}

async function syncTree(directory: string): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true });
  for (let i = 0; i < entries.length; i += AT_A_TIME)
    await Promise.all(
      entries.slice(i, i + AT_A_TIME).map(async (entry) => {
        const path = join(directory, entry.name);
        if (entry.isDirectory()) return syncTree(path);
        if (!entry.isFile()) return;
        const file = await open(path, 'r+');
        try {
          await file.sync();
        } finally {
          await file.close();
        }
      }),
    );
  syncDirectory(directory);
}
