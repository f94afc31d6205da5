import type { ReadonlySignal } from '@preact/signals';
import type { VNode } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { Farewell } from '../devices/farewell.tsx';
import type { LoggedOut, CurrentSession } from '../session/client.ts';
import { Loading } from '../parts/loading.tsx';
import { FaultNotice } from '../parts/fault-notice.tsx';
import { useTexts } from '../text/texts.ts';
import type { Api } from './api.ts';
import { ApplicationsView } from './applications-view.tsx';
import { LogView } from './log-view.tsx';
import { pathOf, type Route, route, type Section } from './route.ts';
import { StateView } from './state-view.tsx';
import { UserView } from './user-view.tsx';
import { UsersView } from './users-view.tsx';
import { base } from '../page/base.ts';

interface AdministrationViewProps {
  api: Api;
  session: ReadonlySignal<CurrentSession | null>;
  /** The session has ended: nothing else is shown. */
  over: ReadonlySignal<LoggedOut | null>;
  /** The logged-in user is unknown. */
  unreachable: ReadonlySignal<boolean>;
}

const SECTIONS: readonly Section[] = ['users', 'applications', 'log', 'state'];

/** The administration: a page for each section, for administrators only. */
export function AdministrationView({ api, session, over, unreachable }: AdministrationViewProps): VNode {
  const { page, administration: words } = useTexts();
  const place = useRef<HTMLDivElement>(null);
  const first = useRef(true);
  const at = route.value;
  // A new page starts at its top, for eyes and for screen readers.
  useLayoutEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    scrollTo(0, 0);
    if (at.page !== 'users') place.current?.focus();
  }, [at]);
  if (over.value)
    return (
      <Farewell
        why={over.value}
        outcome={null}
        idleSeconds={null}
        login={`${base}/login?next=${encodeURIComponent(location.pathname)}`}
      />
    );
  const current = session.value;
  if (!current) return unreachable.value ? <FaultNotice sentence={words.notLoaded} /> : <Loading />;
  if (current.user.role !== 'admin')
    return (
      <section class="card refusal">
        <h1>{words.refusedTitle}</h1>
        <p>{words.refused}</p>
        <a class="button main" href={`${base}/devices`}>
          {page.devices}
        </a>
      </section>
    );
  return (
    <div class="administration">
      <nav class="sections" aria-label={words.sections}>
        {SECTIONS.map((section) => (
          <a
            key={section}
            href={pathOf(section)}
            aria-current={sectionOf(at) === section ? 'page' : undefined}
          >
            {words[section]}
          </a>
        ))}
      </nav>
      <div class="section" ref={place} tabIndex={-1}>
        {pageOf(at, api, current)}
        {at.page === 'nowhere' ? <h1>{words.notFound}</h1> : null}
      </div>
    </div>
  );
}

const sectionOf = (at: Route): string => (at.page === 'user' ? 'users' : at.page);

function pageOf(at: Route, api: Api, session: CurrentSession): VNode | null {
  switch (at.page) {
    case 'users':
      return <UsersView api={api} />;
    case 'user':
      return <UserView key={at.id} api={api} id={at.id} own={session.user_id === at.id} />;
    case 'applications':
      return <ApplicationsView api={api} />;
    case 'log':
      return <LogView api={api} />;
    case 'state':
      return <StateView api={api} />;
    case 'nowhere':
      return null;
  }
}
