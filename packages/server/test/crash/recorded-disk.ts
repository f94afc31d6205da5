/**
 * A directory as the disk may hold it after a power cut. Writes of this process by `node:fs` are recorded since the last fsync of
 * each file and directory; any part of them may be on the disk, in any order, torn at any sector.
 *
 * The model is stricter than any one file system: an fsync of a file does not keep its name, one of a directory does not keep its
 * files' content, and renames, new files and removals are independent of each other.
 */
import {
  constants,
  copyFileSync,
  type Dirent,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { basename, dirname, join, resolve, sep } from 'node:path';

const SECTOR = 512;

type FileChange = { kind: 'write'; at: number; bytes: Buffer } | { kind: 'size'; size: number };

class RecordedFile {
  /** The content on the disk; as it was found, until it is changed. */
  #content: Buffer | { found: string };
  readonly changes: FileChange[] = [];

  constructor(content: Buffer | { found: string }) {
    this.#content = content;
  }

  sync(): void {
    // In place: a file of the write-ahead log has 16 MB, and each commit syncs it.
    if (this.changes.length > 0) this.#content = apply(this.changes, this.bytes());
    this.changes.length = 0;
  }

  /** The content on the disk. Read again if it is as it was found: it must be copied before a change. */
  bytes(): Buffer {
    return Buffer.isBuffer(this.#content) ? this.#content : readFileSync(this.#content.found);
  }

  /** Where it lies unchanged; undefined when it was changed. */
  get found(): string | undefined {
    return this.changes.length > 0 || Buffer.isBuffer(this.#content) ? undefined : this.#content.found;
  }
}

/** One of: something was made, removed, renamed. All of it is on the disk or nothing. */
type NameChange = { directory: RecordedDirectory; name: string; entry: Recorded | null }[];

class RecordedDirectory {
  readonly onDisk = new Map<string, Recorded>();
  readonly now = new Map<string, Recorded>();
  changes: NameChange[] = [];

  sync(): void {
    for (const change of this.changes) {
      for (const { directory, name, entry } of change) put(directory.onDisk, name, entry);
      for (const { directory } of change)
        if (directory !== this) directory.changes = directory.changes.filter((other) => other !== change);
    }
    this.changes = [];
  }
}

type Recorded = RecordedFile | RecordedDirectory;

function put(names: Map<string, Recorded>, name: string, entry: Recorded | null): void {
  if (entry === null) names.delete(name);
  else names.set(name, entry);
}

/** @returns the bytes with the changes in them: the same buffer, unless they grow */
function apply(changes: readonly FileChange[], bytes: Buffer): Buffer {
  let file = bytes;
  for (const change of changes) {
    if (change.kind === 'write') {
      file = withSize(file, Math.max(file.length, change.at + change.bytes.length));
      change.bytes.copy(file, change.at);
    } else file = withSize(file, change.size);
  }
  return file;
}

/** Extensions are filled with zeros. */
function withSize(bytes: Buffer, size: number): Buffer {
  if (size <= bytes.length) return bytes.subarray(0, size);
  const grown = Buffer.alloc(size);
  bytes.copy(grown);
  return grown;
}

/** Names of `node:fs` that would change the directory unseen. */
const UNKNOWN = ['appendFileSync', 'copyFileSync', 'linkSync', 'symlinkSync', 'writevSync'] as const;

// oxlint-disable-next-line typescript/no-explicit-any -- node:fs by the names of its functions
type Functions = Record<string, (...parameters: any[]) => any>;

export class RecordedDisk {
  readonly #root: string;
  readonly #top: RecordedDirectory;
  readonly #open = new Map<number, Recorded>();
  readonly #restore: () => void;
  /** Called after each operation that changes the directory, or syncs. */
  onOperation: (what: string) => void = () => undefined;

  /** @param found the same files, unchanged: the disk's content before */
  constructor(root: string, found: string | null) {
    this.#root = resolve(root);
    this.#top = new RecordedDirectory();
    if (found !== null) scan(this.#top, found);
    this.#restore = this.#record();
  }

  stop(): void {
    this.#restore();
  }

  /** Builds the directory as the disk may have it, if the power is cut at this moment. */
  buildAfterCut(target: string, random: () => number): void {
    // Whole disks too: one that took everything, and one that took nothing that it need not.
    const share = [0, 1, 0.5, random()][Math.floor(random() * 4)] as number;
    const keep = (): boolean => random() < share;
    const names = survivingNames(this.#top, keep, new Map());
    build(this.#top, target, names, (file) => surviving(file, keep, random));
  }

  #record(): () => void {
    const fs = createRequire(import.meta.url)('node:fs') as Functions & { promises: Functions };
    const undo: (() => void)[] = [];
    let depth = 0;
    const wrap = (
      owner: Functions,
      name: string,
      // oxlint-disable-next-line typescript/no-explicit-any -- node:fs by the names of its functions
      after: (result: any, ...parameters: any[]) => string | undefined,
    ): void => {
      const given = owner[name] as Functions[string];
      owner[name] = (...parameters) => {
        depth++;
        const result = (() => {
          try {
            return given(...parameters);
          } finally {
            depth--;
          }
        })();
        // Some of node:fs are made of others.
        const what = depth > 0 ? undefined : after(result, ...parameters);
        if (what !== undefined) this.onOperation(what);
        return result;
      };
      undo.push(() => {
        owner[name] = given;
      });
    };
    const inside = (path: unknown): boolean =>
      typeof path === 'string' && `${resolve(path)}${sep}`.startsWith(`${this.#root}${sep}`);

    wrap(fs, 'openSync', (fd: number, path: string, flags: number | string = 'r') => {
      if (!inside(path)) return undefined;
      const creates = typeof flags === 'number' ? (flags & constants.O_CREAT) !== 0 : /^[wa]/.test(flags);
      const truncates = typeof flags === 'number' ? (flags & constants.O_TRUNC) !== 0 : flags.startsWith('w');
      const entry =
        this.#find(path) ?? (creates ? this.#make(path, new RecordedFile(Buffer.alloc(0))) : null);
      if (entry === null) throw new Error(`${path} was made unseen`);
      if (truncates && entry instanceof RecordedFile) entry.changes.push({ kind: 'size', size: 0 });
      this.#open.set(fd, entry);
      return creates || truncates ? `open ${basename(path)}` : undefined;
    });
    wrap(fs, 'closeSync', (_, fd: number) => {
      this.#open.delete(fd);
      return undefined;
    });
    wrap(
      fs,
      'writeSync',
      (written: number, fd: number, from: ArrayBufferView, offset: number, _length, at) => {
        const file = this.#open.get(fd);
        if (!(file instanceof RecordedFile)) return undefined;
        if (typeof at !== 'number') throw new Error('a write without a position');
        const bytes = Buffer.from(Buffer.from(from.buffer, from.byteOffset + offset, written));
        file.changes.push({ kind: 'write', at, bytes });
        return 'write';
      },
    );
    wrap(fs, 'writeFileSync', (_, path: unknown, text: string, options?: { flush?: boolean }) => {
      if (!inside(path)) return undefined;
      const file = (this.#find(path as string) ??
        this.#make(path as string, new RecordedFile(Buffer.alloc(0)))) as RecordedFile;
      file.changes.push({ kind: 'size', size: 0 }, { kind: 'write', at: 0, bytes: Buffer.from(text) });
      if (options?.flush === true) file.sync();
      return `write ${basename(path as string)}`;
    });
    wrap(fs, 'ftruncateSync', (_, fd: number, size = 0) => {
      const file = this.#open.get(fd);
      if (!(file instanceof RecordedFile)) return undefined;
      file.changes.push({ kind: 'size', size });
      return 'truncate';
    });
    wrap(fs, 'truncateSync', (_, path: string, size = 0) => {
      if (!inside(path)) return undefined;
      (this.#find(path) as RecordedFile).changes.push({ kind: 'size', size });
      return `truncate ${basename(path)}`;
    });
    wrap(fs, 'mkdirSync', (_, path: string) => {
      if (!inside(path) || resolve(path) === this.#root || this.#find(path) !== null) return undefined;
      this.#make(path, new RecordedDirectory());
      return `mkdir ${basename(path)}`;
    });
    wrap(fs, 'renameSync', (_, from: string, to: string) => {
      if (!inside(from)) return undefined;
      const entry = this.#find(from);
      if (entry === null) throw new Error(`${from} was made unseen`);
      this.#change([
        { directory: this.#parent(from), name: basename(from), entry: null },
        { directory: this.#parent(to), name: basename(to), entry },
      ]);
      return `rename ${basename(from)} ${basename(to)}`;
    });
    for (const name of ['unlinkSync', 'rmdirSync', 'rmSync'])
      wrap(fs, name, (_, path: string) => {
        if (!inside(path) || this.#find(path) === null) return undefined;
        this.#change([{ directory: this.#parent(path), name: basename(path), entry: null }]);
        return `${name} ${basename(path)}`;
      });
    for (const name of ['fsyncSync', 'fdatasyncSync'])
      wrap(fs, name, (_, fd: number) => {
        this.#open.get(fd)?.sync();
        return this.#open.has(fd) ? 'fsync' : undefined;
      });
    for (const name of UNKNOWN)
      wrap(fs, name, (_, path: unknown) => {
        if (inside(path)) throw new Error(`${name} is not recorded`);
        return undefined;
      });
    wrap(fs.promises, 'open', (opening: Promise<Functions>, path: string) => {
      if (!inside(path)) return undefined;
      const entry = this.#find(path);
      void opening.then((handle) => {
        const sync = handle['sync']!.bind(handle);
        handle['sync'] = async () => {
          // Writes during a sync need not be on the disk.
          const changes = entry instanceof RecordedFile ? entry.changes.length : 0;
          await sync();
          if (entry instanceof RecordedFile && entry.changes.length === changes) entry.sync();
        };
      });
      return undefined;
    });
    syncBuiltinESMExports();
    return () => {
      for (const one of undo) one();
      syncBuiltinESMExports();
    };
  }

  #find(path: string): Recorded | null {
    let entry: Recorded = this.#top;
    for (const name of resolve(path).slice(this.#root.length).split(sep).filter(Boolean)) {
      const next: Recorded | undefined = entry instanceof RecordedDirectory ? entry.now.get(name) : undefined;
      if (next === undefined) return null;
      entry = next;
    }
    return entry;
  }

  #parent(path: string): RecordedDirectory {
    return this.#find(dirname(path)) as RecordedDirectory;
  }

  #make<T extends Recorded>(path: string, entry: T): T {
    this.#change([{ directory: this.#parent(path), name: basename(path), entry }]);
    return entry;
  }

  #change(change: NameChange): void {
    for (const { directory, name, entry } of change) put(directory.now, name, entry);
    for (const directory of new Set(change.map((one) => one.directory))) directory.changes.push(change);
  }
}

function scan(directory: RecordedDirectory, found: string): void {
  for (const entry of readdirSync(found, { withFileTypes: true }) as Dirent[]) {
    const path = join(found, entry.name);
    const made = entry.isDirectory() ? new RecordedDirectory() : new RecordedFile({ found: path });
    if (made instanceof RecordedDirectory) scan(made, path);
    directory.now.set(entry.name, made);
    directory.onDisk.set(entry.name, made);
  }
}

/** For each change of names, in the order in which they were made, whether it is on the disk. */
function survivingNames(
  directory: RecordedDirectory,
  keep: () => boolean,
  decided: Map<NameChange, boolean>,
): Map<NameChange, boolean> {
  for (const change of directory.changes) if (!decided.has(change)) decided.set(change, keep());
  const below = new Set([...directory.onDisk.values(), ...directory.now.values()]);
  for (const entry of below) if (entry instanceof RecordedDirectory) survivingNames(entry, keep, decided);
  return decided;
}

function build(
  directory: RecordedDirectory,
  target: string,
  kept: Map<NameChange, boolean>,
  contentOf: (file: RecordedFile) => Buffer,
): void {
  mkdirSync(target, { recursive: true, mode: 0o700 });
  const names = new Map(directory.onDisk);
  for (const change of directory.changes)
    if (kept.get(change) === true)
      for (const one of change) if (one.directory === directory) put(names, one.name, one.entry);
  for (const [name, entry] of names) {
    const path = join(target, name);
    if (entry instanceof RecordedDirectory) build(entry, path, kept, contentOf);
    else if (entry.found !== undefined) copyFileSync(entry.found, path);
    else writeFileSync(path, contentOf(entry), { mode: 0o600 });
  }
}

/** The part of a file's changes on the disk: each whole, not at all, or some of its sectors. */
function surviving(file: RecordedFile, keep: () => boolean, random: () => number): Buffer {
  const changes: FileChange[] = [];
  for (const change of file.changes) {
    if (change.kind === 'size' || random() < 0.5) {
      if (keep()) changes.push(change);
      continue;
    }
    for (let at = change.at; at < change.at + change.bytes.length; ) {
      const end = Math.min((Math.floor(at / SECTOR) + 1) * SECTOR, change.at + change.bytes.length);
      const bytes = change.bytes.subarray(at - change.at, end - change.at);
      if (keep()) changes.push({ kind: 'write', at, bytes });
      at = end;
    }
  }
  return apply(changes, Buffer.from(file.bytes()));
}
