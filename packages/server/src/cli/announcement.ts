import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/*
 * While a server has the embedded database, it says in `server.json` beside it where it is, and gives the commands of
 * this machine a service key of that run. Only the owner of the directory can read it. One that a killed server left
 * behind says nothing: its process is gone, or its key is unknown.
 */

const schema = z.object({ url: z.string(), key: z.string(), pid: z.number().int().positive() });
type Announcement = z.infer<typeof schema>;

const fileIn = (directory: string): string => join(directory, 'server.json');

export function announce(directory: string, announcement: Announcement): void {
  const file = fileIn(directory);
  const unfinished = `${file}.${announcement.pid}`;
  rmSync(unfinished, { force: true });
  writeFileSync(unfinished, JSON.stringify(announcement), { mode: 0o600 });
  // In one step: nobody reads half of it.
  renameSync(unfinished, file);
}

export function withdraw(directory: string): void {
  rmSync(fileIn(directory), { force: true });
}

/** What the directory says of a server whose process still lives; null when it says nothing. */
export function readAnnouncement(directory: string): Announcement | null {
  let text: string;
  try {
    text = readFileSync(fileIn(directory), 'utf8');
  } catch {
    // Not there, or not for us to read: no server that we could talk to.
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
