import { createClient } from '@curfew/client';

const toLogin = (): void => location.replace('/login');

// Only pages for logged-in users have these.
const form = document.querySelector<HTMLFormElement>('form[action="/logout"]');
if (form) {
  const client = createClient();
  // Ended elsewhere. After this page's own logout the server's answer comes first, because the server renders the next page.
  client.onLoggedOut(({ where }) => {
    if (where !== 'here') toLogin();
  });
  form.onsubmit = (event) => {
    event.preventDefault();
    const scope = (event.submitter as HTMLButtonElement).value as 'this' | 'all';
    void client.logout({ scope }).finally(toLogin);
  };
  // The server wrote this page for a session that may be over since.
  client.session().then(
    (session) => session ?? toLogin(),
    () => undefined, // Not to be reached: the page stays as it is.
  );
}
