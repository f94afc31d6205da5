import type { Credential } from './credential.ts';

/**
 * The child's side of `Candidate.prepare`: it makes sessions through the library's own functions and sends them over the process channel. A
 * login over HTTP for each session, with a password hash, would take longer than the measurement.
 */
export function offerCredentials(make: (count: number) => Promise<Credential[]>): void {
  process.on('message', (message: { prepare: number }) => {
    make(message.prepare).then(
      (result) => process.send?.({ result }),
      (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
    );
  });
  // When the benchmark has ended, its servers end too.
  process.on('disconnect', () => process.exit());
  process.send?.({ ready: true });
}

/** `count` credentials, a few dozen being made at a time. */
export async function makeMany(count: number, makeOne: () => Promise<Credential>): Promise<Credential[]> {
  const made: Credential[] = [];
  while (made.length < count) {
    const batch = Math.min(50, count - made.length);
    made.push(...(await Promise.all(Array.from({ length: batch }, makeOne))));
  }
  return made;
}

/** The environment of every server of the benchmark. */
export function setting(name: 'PORT' | 'DATABASE_URL' | 'REDIS_URL'): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}
