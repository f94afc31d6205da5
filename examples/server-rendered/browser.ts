import { createClient } from '@curfew/client';

// Only a page that is for somebody has these.
const buttons = document.querySelectorAll<HTMLButtonElement>('[data-logout]');
if (buttons.length > 0) {
  const client = createClient();
  client.onLoggedOut(() => location.replace('/login'));
  for (const button of buttons)
    button.onclick = () => client.logout({ scope: button.dataset['logout'] as 'this' | 'all' });
}
