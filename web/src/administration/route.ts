import { base } from '../page/base.ts';
import { type ReadonlySignal, signal } from '@preact/signals';

export type Section = 'users' | 'applications' | 'log' | 'state';

/** The page of the administration. */
export type Route =
  | { page: 'users' | 'applications' | 'log' | 'state' }
  | { page: 'user'; id: number }
  | { page: 'nowhere' };

const HOME = `${base}/admin`;
const here = signal<Route>(routeOf(location.pathname));
export const route: ReadonlySignal<Route> = here;

export const pathOf = (section: Section): string => (section === 'users' ? HOME : `${HOME}/${section}`);
export const pathOfUser = (id: number): string => `${HOME}/users/${id}`;

function routeOf(path: string): Route {
  const [, , section = 'users', id, ...more] = path.slice(base.length).replace(/\/$/, '').split('/');
  if (section === 'users' && id !== undefined && more.length === 0 && /^[1-9]\d{0,15}$/.test(id))
    return { page: 'user', id: Number(id) };
  if (id !== undefined) return { page: 'nowhere' };
  return section === 'users' || section === 'applications' || section === 'log' || section === 'state'
    ? { page: section }
    : { page: 'nowhere' };
}

/** Goes to another page of the administration without a reload. */
function go(path: string): void {
  history.pushState(null, '', path);
  arrive();
}

function arrive(): void {
  here.value = routeOf(location.pathname);
}

/** Makes links among these pages, and the browser's buttons, change the page in place. @returns stops that */
export function followLinks(): () => void {
  const onClick = (event: MouseEvent): void => {
    const link = (event.target as Element | null)?.closest?.(`a[href^="${HOME}"]`);
    const own = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!link || !own || event.defaultPrevented) return;
    event.preventDefault();
    go(link.getAttribute('href') ?? HOME);
  };
  document.addEventListener('click', onClick);
  window.addEventListener('popstate', arrive);
  return () => {
    document.removeEventListener('click', onClick);
    window.removeEventListener('popstate', arrive);
  };
}
