import { createClient } from '@curfew/client';

const toLogin = (): void => location.replace('/login');

// Only a page that is for somebody has these.
const buttons = document.querySelectorAll<HTMLButtonElement>('[data-logout]');
if (buttons.length > 0) {
  const client = createClient();
  // From elsewhere. What is done here goes on when the server has answered: it renders the next page.
  client.onLoggedOut(({ where }) => {
    if (where !== 'here') toLogin();
  });
  for (const button of buttons)
    button.onclick = () =>
      client.logout({ scope: button.dataset['logout'] as 'this' | 'all' }).finally(toLogin);
  // The server wrote this page for a session that may be over since.
  client.session().then(
    (session) => session ?? toLogin(),
    () => undefined, // Not to be reached: the page stays as it is.
  );
}
