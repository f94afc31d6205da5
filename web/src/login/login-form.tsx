import type { RefObject, VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { relative } from '../text/time.ts';
import { say } from '../text/say.ts';
import { type Texts, useTexts } from '../text/texts.ts';
import { type ApiFault, apiFaultOf } from '../session/problem.ts';

interface LoginFormProps {
  /** Why the visitor is here, in words. */
  why: string | null;
  /** The server's message about an attempt without a script. */
  fault: string | null;
  email: string;
  /** Where to go afterwards; the form without a script needs it too. */
  next: string | null;
  /** The address that takes the form without a script. */
  action: string;
  /** Whether the first empty field takes the focus: not within another page. */
  takesFocus: boolean;
  logIn: (credentials: { email: string; password: string }) => Promise<unknown>;
  /** @returns whether another page comes now; else the form is ready for the next attempt */
  onLoggedIn: () => boolean;
}

/**
 * The login form. The server has rendered it on the login page, element for element (`http/pages/login.ts`), and it is hydrated;
 * additions, such as the button that shows the password, come after that.
 */
export function LoginForm(props: LoginFormProps): VNode {
  const { email, next, action, takesFocus } = props;
  const { login } = useTexts();
  const { form, why, fault, busy, submit } = useAttempt(props);
  const described = fault === null ? {} : { 'aria-describedby': 'fault' };
  return (
    <section class="card">
      <h1>{login.title}</h1>
      {why === null ? null : <p class="notice">{why}</p>}
      <form ref={form} class="stack" method="post" action={action} onSubmit={(event) => void submit(event)}>
        {fault === null ? null : (
          <p class="notice bad" id="fault" role="alert">
            {fault}
          </p>
        )}
        {next === null ? null : <input type="hidden" name="next" value={next} />}
        <label class="field">
          <span>{login.email}</span>
          <input
            name="email"
            // Not "email", which rejects letters beyond ASCII, and converts domains that have some (RFC 6531).
            type="text"
            inputMode="email"
            autocomplete="username"
            autocapitalize="none"
            spellcheck={false}
            maxLength={254}
            required
            {...described}
            defaultValue={email}
            autofocus={takesFocus && email === ''}
          />
        </label>
        <PasswordField {...described} autofocus={takesFocus && email !== ''} />
        <button class="main" type="submit" aria-disabled={busy ? true : undefined}>
          {busy ? login.busy : login.submit}
        </button>
      </form>
    </section>
  );
}

/** The password, which can be shown once the form is hydrated. */
function PasswordField(described: { 'aria-describedby'?: string; autofocus: boolean }): VNode {
  const { login } = useTexts();
  const [hydrated, setHydrated] = useState(false);
  const [visible, setVisible] = useState(false);
  useEffect(() => setHydrated(true), []);
  return (
    <>
      <label class="field">
        <span>{login.password}</span>
        <input
          name="password"
          // A plain text field while the password is visible; the types do not know that it is both.
          type={(visible ? 'text' : 'password') as 'password'}
          autocomplete="current-password"
          maxLength={1024}
          required
          {...described}
        />
      </label>
      {hydrated ? (
        <label class="check">
          <input type="checkbox" checked={visible} onChange={() => setVisible(!visible)} />
          <span>{login.showPassword}</span>
        </label>
      ) : null}
    </>
  );
}

interface Submitting {
  form: RefObject<HTMLFormElement | null>;
  why: string | null;
  fault: string | null;
  busy: boolean;
  submit: (event: Event) => Promise<void>;
}

/** Logs in with the fields of the form, one attempt at a time. */
function useAttempt(props: LoginFormProps): Submitting {
  const texts = useTexts();
  const [fault, setFault] = useState(props.fault);
  const [why, setWhy] = useState(props.why);
  const [busy, setBusy] = useState(false);
  // The second of two quick key presses comes before the page is redrawn.
  const going = useRef(false);
  const form = useRef<HTMLFormElement>(null);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (going.current || !form.current) return;
    going.current = true;
    const fields = new FormData(form.current);
    setBusy(true);
    setFault(null);
    setWhy(null); // It has been read, and would hide the next message.
    try {
      await props.logIn({ email: textOf(fields, 'email'), password: textOf(fields, 'password') });
      if (props.onLoggedIn()) return;
      form.current?.reset();
      going.current = false;
      setBusy(false);
    } catch (error) {
      going.current = false;
      setBusy(false);
      setFault(faultOf(texts, apiFaultOf(error)));
      const password = form.current.querySelector<HTMLInputElement>('[name=password]');
      password?.focus();
      password?.select();
    }
  };
  return { form, why, fault, busy, submit };
}

function textOf(fields: FormData, name: string): string {
  const value = fields.get(name);
  return typeof value === 'string' ? value : '';
}

/** The error, without the half of the credentials that was wrong. */
function faultOf({ tag, login }: Texts, problem: ApiFault): string {
  switch (problem.code) {
    case 'invalid_credentials':
    case 'invalid_request':
      return login.wrong;
    case 'rate_limited': {
      const now = new Date();
      const then = new Date(now.getTime() + (problem.retryAfter ?? 60) * 1000);
      return say(login.tooMany, { when: relative(tag, then, now) });
    }
    case 'overloaded':
      return login.crowded;
    case 'csrf_failed':
      return login.foreign;
    case 'unreachable':
      return login.unreachable;
    default:
      return login.failed;
  }
}
