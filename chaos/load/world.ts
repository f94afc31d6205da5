import type { ClientsSettings, FromClients } from '../cast/messages.ts';
import { Random } from '../../simulator/random.ts';
import type { Recorder } from '../recorder.ts';
import { Requests } from './requests.ts';
import type { Session } from './session.ts';

/** The state that the clients share. */
export interface World {
  settings: ClientsSettings;
  recorder: Recorder;
  requests: Requests;
  random: Random;
  tell: (message: FromClients) => void;
  /** Users without a password, whose sessions the service opens. */
  users: number[];
  /** Users who log in themselves. */
  people: { id: number; email: string; password: string }[];
  sessions: Session[];
  /** Logouts under way: the sessions that are checked all the time until then. */
  pressed: Map<number, { list: Session[]; untilMs: number }>;
  lastPress: number;
  lastLogout: number;
  resting: boolean;
}

export const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

/** One session that no logout has named yet. */
export function living(world: World, fits: (session: Session) => boolean = () => true): Session | undefined {
  const found = world.sessions.filter((session) => !session.over && fits(session));
  return found.length === 0 ? undefined : world.random.pick(found);
}

export function anyNode(world: World): { name: string; url: string } {
  return world.random.pick(world.settings.nodes);
}
