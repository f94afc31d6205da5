import type { VNode } from 'preact';
import { base } from './base.ts';
import { ActButton } from '../parts/act-button.tsx';
import type { CurrentSession } from '../session/client.ts';
import { say, shown } from '../text/say.ts';
import { useTexts } from '../text/texts.ts';

interface AccountProps {
  session: CurrentSession | null;
  /** The current page, marked among the others. */
  here: 'devices' | 'administration';
  /** Whether the user may administer. */
  administration: boolean;
  logOut: () => Promise<void>;
}

/** The top of each page: the user, the other pages, the logout. */
export function AccountNav({ session, here, administration, logOut }: AccountProps): VNode | null {
  const { page, devices } = useTexts();
  if (!session) return null;
  const name = shown(session.user.name) || shown(session.user.email);
  const place = (which: AccountProps['here']): { 'aria-current'?: 'page' } =>
    which === here ? { 'aria-current': 'page' } : {};
  return (
    <nav class="account" aria-label={say(page.account, { name })}>
      <bdi class="who small quiet">{name}</bdi>
      {administration && session.user.role === 'admin' ? (
        <>
          <a href={`${base}/devices`} {...place('devices')}>
            {page.devices}
          </a>
          <a href={`${base}/admin`} {...place('administration')}>
            {page.administration}
          </a>
        </>
      ) : null}
      <ActButton act={logOut} busy={devices.ending}>
        {page.logOut}
      </ActButton>
    </nav>
  );
}
