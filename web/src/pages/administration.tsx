import '../style/page.css';
import '../style/administration.css';
import '../style/user.css';
import '../style/log.css';
import '../style/system.css';
import { signal } from '@preact/signals';
import { render, type VNode } from 'preact';
import { createApi } from '../administration/api.ts';
import { AdministrationView } from '../administration/administration-view.tsx';
import { followLinks } from '../administration/route.ts';
import { AccountNav } from '../page/account-nav.tsx';
import { emptyOnLeave } from '../page/leave.ts';
import { base } from '../page/base.ts';
import { found } from '../page/found.ts';
import { type PageState, startPage } from '../page/start.tsx';
import { ConfirmDialog } from '../devices/confirm-dialog.tsx';
import { confirmPassword } from '../session/confirm.ts';
import { createCookieClient, type LoggedOut, type CurrentSession } from '../session/client.ts';
import { TextsContext } from '../text/texts.ts';

/** The pause after the server was unreachable. */
const AGAIN_MS = 3000;

const client = createCookieClient(base);
/** Waits for the password, where the login is too old. */
const asking = signal<((given: boolean) => void) | null>(null);
const api = createApi(client, () => new Promise((resolve) => (asking.value = resolve)));
const session = signal<CurrentSession | null>(null);
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
    // Any error: nothing can be shown, the page says so, and tries again.
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
    <AccountNav
      session={session.value}
      here="administration"
      administration
      logOut={async () => void (await client.logout())}
    />
  );
}

function AskedForPassword(): VNode | null {
  const answer = asking.value;
  if (!answer || over.value) return null;
  const done = (given: boolean): void => {
    asking.value = null;
    answer(given);
  };
  return (
    <ConfirmDialog
      confirm={async (password) => {
        await confirmPassword(client, location.origin + base, password);
        done(true);
      }}
      onClose={() => {
        if (asking.value) done(false);
      }}
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
  return (
    <>
      <AdministrationView api={api} session={session} over={over} unreachable={unreachable} />
      <AskedForPassword />
    </>
  );
}, 'render');
void look();
