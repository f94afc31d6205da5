/*
 * <curfew-login> and <curfew-devices>: the login form and "my devices" for any page.
 *
 *   <script type="module" src="https://sessions.example.com/pages/curfew-elements.js"></script>
 *   <curfew-devices authority="https://sessions.example.com" login="/login"></curfew-devices>
 */
import { effect } from '@preact/signals';
import { Devices } from '../devices/devices.ts';
import { DevicesView } from '../devices/devices-view.tsx';
import { LoginForm } from '../login/login-form.tsx';
import type { Client } from '../session/client.ts';
import { Embedded, type Shown } from './embedded.tsx';

/** The attribute may be copied from untrusted input: no script may get into an address. */
const isWebAddress = (text: string): boolean =>
  /^https?:$/.test(URL.parse(text, location.href)?.protocol ?? '');
const webAddressOr = (text: string | null): string | null =>
  text !== null && isWebAddress(text) ? text : null;

/** The login form. Emits `curfew-login` with the session, and goes to the attribute `next` if there is one. */
class CurfewLogin extends Embedded {
  protected override show(client: Client): Shown {
    return {
      view: (
        <LoginForm
          why={null}
          fault={null}
          email={this.getAttribute('email') ?? ''}
          next={null}
          action="/login"
          takesFocus={this.hasAttribute('autofocus')}
          logIn={async (credentials) => {
            const session = await client.login(credentials);
            this.tell('curfew-login', session);
          }}
          onLoggedIn={() => {
            const next = this.getAttribute('next');
            const isAddress = next !== null && isWebAddress(next);
            if (isAddress) location.assign(next);
            return isAddress;
          }}
        />
      ),
      close: () => undefined,
    };
  }
}

/** "My devices". Emits `curfew-logged-out` with the reason when the session ends; the attribute `login` is where to log in again. */
class CurfewDevices extends Embedded {
  readonly #again = (): void => this.attributeChangedCallback();

  protected override show(client: Client, authority: string): Shown {
    // A form on the same page has logged a user in.
    document.addEventListener('curfew-login', this.#again);
    const devices = new Devices(client, authority);
    void devices.load();
    const stop = effect(() => {
      const why = devices.over.value;
      if (why) this.tell('curfew-logged-out', why);
    });
    return {
      view: <DevicesView devices={devices} login={webAddressOr(this.getAttribute('login'))} />,
      close: () => {
        document.removeEventListener('curfew-login', this.#again);
        stop();
        devices.close();
      },
    };
  }
}

// Two scripts of a page may both define them.
if (!customElements.get('curfew-login')) customElements.define('curfew-login', CurfewLogin);
if (!customElements.get('curfew-devices')) customElements.define('curfew-devices', CurfewDevices);
