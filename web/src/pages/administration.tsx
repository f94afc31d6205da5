import '../style/page.css';
import '../style/administration.css';
import { signal } from '@preact/signals';
import { render, type VNode } from 'preact';
import { createApi } from '../administration/api.ts';
import { AdministrationView } from '../administration/administration-view.tsx';
import { followLinks } from '../administration/route.ts';
import { Account } from '../page/account.tsx';
import { emptyOnLeave } from '../page/leave.ts';
import { found, type PageState, startPage } from '../page/start.tsx';
import { createClient, type LoggedOut, type Session } from '../session/client.ts';
import { TextsContext } from '../text/texts.ts';

/** After a look that found no server. */
const AGAIN_MS = 3000;

const client = createClient();
const api = createApi(client);
const session = signal<Session | null>(null);
const over = signal<LoggedOut | null>(null);
const unreachable = signal(false);

let again: number | undefined;

async function look(): Promise<void> {
  clearTimeout(again);
  try {
    session.value = await client.session();
    unreachable.value = false;
    if (!session.value)
      over.value = client.endedBecause ?? {
        reason: 'unknown',
        by: 'unknown',
        at: new Date().toISOString(),
        sessionId: null,
        where: 'found',
      };
  } catch {
    // Whatever it is: nothing can be shown, that is said, and it need not stay so.
    unreachable.value = true;
    again = window.setTimeout(() => void look(), AGAIN_MS * (0.5 + Math.random()));
  }
}
client.onLoggedOut((why) => {
  session.value = null;
  over.value = why;
});
emptyOnLeave(look, () => (session.value = null));
followLinks();

function Header(): VNode | null {
  return (
    <Account
      session={session.value}
      here="administration"
      administration
      logOut={async () => void (await client.logout())}
    />
  );
}

void startPage<PageState>((_state, texts) => {
  render(
    <TextsContext.Provider value={texts}>
      <Header />
    </TextsContext.Provider>,
    found('account'),
  );
  return <AdministrationView api={api} session={session} over={over} unreachable={unreachable} />;
}, 'render');
void look();
