import { type Client, createClient, type LoggedOut, type CurrentSession } from '@curfew/client';
import { useSyncExternalStore } from 'react';

/** The state for components: undefined until the session is known. */
interface Curfew {
  session: CurrentSession | null | undefined;
  why: LoggedOut | null;
}

export const client: Client = createClient();

let now: Curfew = { session: undefined, why: null };
const listeners = new Set<() => void>();
function become(next: Curfew): void {
  now = next;
  for (const listener of listeners) listener();
}

client.onLoggedOut((why) => become({ session: null, why }));
const look = async (): Promise<void> => become({ session: await client.session(), why: client.endedBecause });
// Another tab has logged in: so has this one.
client.onSessionsChanged(() => void look().catch(reportError));
look().catch(reportError);

export async function login(email: string, password: string): Promise<void> {
  become({ session: await client.login({ email, password }), why: null });
}

/** The session for any component; rendered again when it begins or ends, in any tab or on any device. */
export function useCurfew(): Curfew {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => now,
  );
}
