import { type Client, createClient, type LoggedOut, type CurrentSession } from '@curfew/client';
import { type ShallowRef, shallowRef } from 'vue';

export const client: Client = createClient();

/** Undefined until the session is known. */
const session = shallowRef<CurrentSession | null>();
const why = shallowRef<LoggedOut | null>(null);

client.onLoggedOut((reason) => {
  session.value = null;
  why.value = reason;
});
async function look(): Promise<void> {
  session.value = await client.session();
  why.value = client.endedBecause;
}
// Another tab has logged in: so has this one.
client.onSessionsChanged(() => void look().catch(reportError));
look().catch(reportError);

async function login(email: string, password: string): Promise<void> {
  session.value = await client.login({ email, password });
}

interface Curfew {
  session: Readonly<ShallowRef<CurrentSession | null | undefined>>;
  why: Readonly<ShallowRef<LoggedOut | null>>;
  login: typeof login;
}

/** The session for any component, through every login and logout, in any tab or on any device. */
export const useCurfew = (): Curfew => ({ session, why, login });
