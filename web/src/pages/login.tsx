import '../style/page.css';
import { LoginForm } from '../login/login-form.tsx';
import { base } from '../page/base.ts';
import { type PageState, startPage } from '../page/start.tsx';
import { createCookieClient } from '../session/client.ts';

interface LoginState extends PageState {
  /** A path of this origin that the server has validated, or none. */
  next: string | null;
  why: string | null;
  fault: string | null;
  email: string;
}

const client = createCookieClient(base);

void startPage<LoginState>(
  ({ next, why, fault, email }) => (
    <LoginForm
      next={next}
      why={why}
      fault={fault}
      email={email}
      action={`${base}/login`}
      takesFocus
      logIn={(credentials) => client.login(credentials)}
      onLoggedIn={() => {
        location.replace(next ?? `${base}/devices`);
        return true;
      }}
    />
  ),
  'hydrate',
);

// Restored by the back button after a login: the typed text must go, and the server knows where to go.
window.addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});
