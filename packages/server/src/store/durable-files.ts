import { closeSync, fsyncSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { NodeFS } from '@electric-sql/pglite/nodefs';
import { beforeRun } from './private-directory.ts';

/** The disk did not take what the embedded database wrote: nothing that is not on it yet can be promised any more. */
export class DiskFailure extends Error {
  override name = 'DiskFailure';
  constructor(directory: string, what: string, code: string) {
    const isFull = code === 'ENOSPC' || code === 'EDQUOT';
    super(
      `the disk of ${directory} ${isFull ? 'is full' : 'failed'} (${what}: ${code}). Every logout and login that was answered is kept; those under way are not done. ${isFull ? 'Make room' : 'See to the disk'}, and start Curfew again.`,
    );
  }
}

/** A file or directory, and an open one, of the engine's file system (Emscripten's NODEFS). */
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

/** By Emscripten's numbers: the disk, and not the caller, is at fault. */
const DISK_FAULTS: Record<number, string> = { 19: 'EDQUOT', 29: 'EIO', 51: 'ENOSPC', 69: 'EROFS' };
/** An error at which the disk is at fault, as a failure of the disk; any other as it is. */
export function diskFailureOf(directory: string, error: unknown): unknown {
  const code = codeOf(error);
  if (!Object.values(DISK_FAULTS).includes(code)) return error;
  return new DiskFailure(directory, (error as NodeJS.ErrnoException).syscall ?? 'write', code);
}

const CHANGES = ['mknod', 'rename', 'unlink', 'rmdir', 'setattr'];

/** What is answered where a directory cannot be synced: there it need not be, or cannot be helped. PostgreSQL agrees. */
const NO_SYNC_OF_DIRECTORIES = ['EINVAL', 'EBADF', 'ENOTSUP', 'EPERM', 'EISDIR', 'EACCES'];

/**
 * The same file system, with fsync, which the engine's own has not, and with an end to the process where the disk fails.
 * Nothing may be tried again then: after a failed fsync the kernel may have dropped the pages, and the next fsync says that
 * all is well.
 * @param onFailure ends the process. It must not throw: the engine would take that for an error of one statement.
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
  // The whole of it: a disk that is nearly full takes a part and says nothing.
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
   * Directories in which something was made. PostgreSQL syncs those that it renames in. That a file of a table is still found
   * by its name, it leaves to the file system, and POSIX does not promise it.
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

/** Renames what is on the disk already, and sees to it that the new name is there too. */
export function renameDurably(from: string, to: string): void {
  renameSync(from, to);
  syncDirectory(dirname(to));
}

/**
 * Makes a file that is there whole after a power cut, or not at all.
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
 * Syncs all that is in a directory, and its name: what a run without fsync left, or somebody else put there, may be in the
 * kernel's memory alone.
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
