import type { Services } from '../machine/services.ts';
import type { Candidate } from './candidate.ts';
import { startChildServer } from './child-candidate.ts';

/** The best that the machine and Node allow. Every other figure is given as a ratio to one of these. */
export interface Floors {
  http: Candidate;
  update: Candidate;
  hash: Candidate;
}

export async function startFloors(services: Services): Promise<Floors> {
  const [http, update, hash] = await Promise.all([
    startChildServer({
      id: 'floor-http',
      label: 'floor: bare node:http',
      kind: 'floor',
      durable: false,
      script: 'floors/bare-http.ts',
      env: {},
      refuses: () => false,
    }),
    startChildServer({
      id: 'floor-update',
      label: 'floor: node:http + one UPDATE … RETURNING',
      kind: 'floor',
      durable: true,
      script: 'floors/one-update.ts',
      env: { DATABASE_URL: await services.makeDatabase('floor') },
    }),
    startChildServer({
      id: 'floor-hash',
      label: 'floor: node:http + one argon2id verify',
      kind: 'floor',
      durable: false,
      script: 'floors/one-hash.ts',
      env: {},
      refuses: () => false,
    }),
  ]);
  return { http, update, hash };
}
