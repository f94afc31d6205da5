import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/*
 * A server with the embedded database writes its address into `server.json` beside it, and a key of that run for the
 * commands of this machine. Only the directory's owner can read it. The file of a killed server does no harm: its process is
 * gone, or its key is unknown.
 */

const schema = z.object({ url: z.string(), key: z.string(), pid: z.number().int().positive() });
type Announcement = z.infer<typeof schema>;

const fileIn = (directory: string): string => join(directory, 'server.json');

export function announce(directory: string, announcement: Announcement): void {
  const file = fileIn(directory);
  const unfinished = `${file}.${announcement.pid}`;
  rmSync(unfinished, { force: true });
  writeFileSync(unfinished, JSON.stringify(announcement), { mode: 0o600 });
  // Atomic: nobody reads half of it.
  renameSync(unfinished, file);
}

export function withdraw(directory: string): void {
  rmSync(fileIn(directory), { force: true });
}

/** The announcement of a server whose process is alive; null otherwise. */
export function readAnnouncement(directory: string): Announcement | null {
  let text: string;
  try {
    text = readFileSync(fileIn(directory), 'utf8');
  } catch {
    // Missing or unreadable: no server to talk to.
    return null;
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  const { data } = schema.safeParse(parsed);
  return data && isRunning(data.pid) ? data : null;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
