// The whole page: one of two templates, for logged-in users and others.
import { createClient } from '/curfew-client.js';

const client = createClient();
const main = document.querySelector('main');

function show(template) {
  main.replaceChildren(document.querySelector(template).content.cloneNode(true));
}

function showLogin(message = '') {
  show('#out');
  main.querySelector('[role=status]').textContent = message;
  main.querySelector('form').onsubmit = async (event) => {
    event.preventDefault();
    try {
      showSession(await client.login(Object.fromEntries(new FormData(event.target))));
    } catch (error) {
      main.querySelector('[role=status]').textContent = error.message;
    }
  };
}

function showSession({ user }) {
  show('#in');
  main.querySelector('h1').textContent = `Hello ${user.name}`;
  for (const button of main.querySelectorAll('button'))
    button.onclick = () => client.logout({ scope: button.value });
  void showDevices();
}

async function showDevices() {
  // Logged out in the meantime: then the page is about to show that.
  const sessions = await client.sessions().catch(() => []);
  const names = sessions.map(({ device, current }) => device.name + (current ? ', this device' : ''));
  main
    .querySelector('ul')
    ?.replaceChildren(
      ...names.map((name) => Object.assign(document.createElement('li'), { textContent: name })),
    );
}

const session = await client.session();
if (session) showSession(session);
else showLogin();
// In this tab, in another one, on another device, by an administrator: nothing private is left on the page.
client.onLoggedOut(({ reason, by }) => showLogin(`You were logged out: ${reason}, by ${by}.`));
client.onSessionsChanged(() => void showDevices());
