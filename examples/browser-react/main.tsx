import { type FormEvent, type JSX, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { client, login, useCurfew } from './use-curfew.ts';

function Login(): JSX.Element {
  const { why } = useCurfew();
  const [message, setMessage] = useState(why ? `You were logged out: ${why.reason}, by ${why.by}.` : '');
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const { email = '', password = '' } = Object.fromEntries(
      new FormData(event.currentTarget) as unknown as Iterable<[string, string]>,
    );
    login(email, password).catch((error: Error) => setMessage(error.message));
  };
  return (
    <form onSubmit={submit}>
      <p role="status">{message}</p>
      <label>
        E-mail <input name="email" type="email" autoComplete="username" required />
      </label>
      <label>
        Password <input name="password" type="password" autoComplete="current-password" required />
      </label>
      <button>Log in</button>
    </form>
  );
}

function App(): JSX.Element | null {
  const { session } = useCurfew();
  if (session === undefined) return null;
  if (session === null) return <Login />;
  return (
    <>
      <h1>Hello {session.user.name}</h1>
      <button onClick={() => void client.logout()}>Log out</button>
      <button onClick={() => void client.logout({ scope: 'all' })}>Log out everywhere</button>
    </>
  );
}

createRoot(document.getElementById('root') as HTMLElement).render(<App />);
