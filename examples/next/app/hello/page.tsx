import type { Authority } from '@curfew/server';
import { headers } from 'next/headers';
import { redirect } from 'next/navigation';

/** A page for logged-in users. It asks the authority in this process, so the answer is never an old one. */
export default async function Hello() {
  const { authority } = globalThis as unknown as { authority: Authority };
  const asked = new Headers();
  for (const name of ['authorization', 'cookie']) {
    const value = (await headers()).get(name);
    if (value !== null) asked.set(name, value);
  }
  const check = await authority.fetch(new Request('http://curfew/auth/v1/check', { headers: asked }));
  if (!check.ok) redirect('/auth/login?next=/hello');
  return <h1>Hello {check.headers.get('curfew-subject')}</h1>;
}
