import type { LoggedEvent } from '@curfew/protocol/wire/event';
import type { UserSession } from '@curfew/protocol/wire/session';
import { useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { MoreButton } from '../parts/more-button.tsx';
import { FaultNotice } from '../parts/fault-notice.tsx';
import { focusItem } from '../parts/focus.ts';
import { Picture } from '../parts/picture.tsx';
import { kindOf } from '../devices/describe.ts';
import { useTexts } from '../text/texts.ts';
import { moment } from '../text/time.ts';
import type { Api, Sessions } from './api.ts';
import { EventList } from './event-list.tsx';
import { merged } from './live-log.ts';
import { faultSentence } from './outcome.tsx';
import { SessionLines } from './user-sessions.tsx';
import { reasonOf } from './words.ts';

const PAGE = 20;
/** Ended sessions on one page. */
const ENDED_PAGE = 100;

interface UserHistoryProps {
  api: Api;
  id: number;
  /** Changes when there is news of the user. */
  news: number;
}

/** The events of a user, and the sessions that ended. */
export function UserHistory(props: UserHistoryProps): VNode {
  return (
    <>
      <EndedSessions {...props} />
      <UserEvents {...props} />
    </>
  );
}

function EndedSessions({ api, id, news }: UserHistoryProps): VNode {
  const texts = useTexts();
  const { page, administration } = texts;
  const ended = useSignal<Sessions | null>(null);
  const wanted = useSignal(ENDED_PAGE);
  const opened = useSignal(false);
  const fault = useSignal<string | null>(null);
  const read = async (): Promise<void> => {
    try {
      ended.value = await api.sessionsOf(id, true, wanted.value);
      fault.value = null;
    } catch (error) {
      fault.value = faultSentence(texts, error);
    }
  };
  const more = async (): Promise<void> => {
    wanted.value += ENDED_PAGE;
    await read();
  };
  useEffect(() => {
    if (opened.value) void read();
  }, [id, news]);
  return (
    <details
      class="ended"
      onToggle={(event) => {
        opened.value = event.currentTarget.open;
        if (opened.value) void read();
      }}
    >
      <summary>{administration.sessions.ended}</summary>
      <FaultNotice sentence={fault.value} />
      {ended.value === null ? (
        <p class="quiet">{page.loading}</p>
      ) : ended.value.sessions.length === 0 ? (
        <p class="quiet">{administration.none}</p>
      ) : (
        <ul class="rows">
          {ended.value.sessions.map((session) => (
            <EndedSession key={session.id} session={session} />
          ))}
        </ul>
      )}
      <MoreButton more={ended.value?.more ?? false} load={more} label={administration.more} />
    </details>
  );
}

function EndedSession({ session }: { session: UserSession }): VNode {
  const texts = useTexts();
  return (
    <li class="session over">
      <Picture of={kindOf({ ...session, current: false })} />
      <div class="what">
        <SessionLines session={session} />
        {session.ended ? (
          <p class="small">
            {reasonOf(texts, session.ended.reason)}
            {' · '}
            {moment(texts.tag, new Date(session.ended.at))}
          </p>
        ) : null}
      </div>
    </li>
  );
}

function UserEvents({ api, id, news }: UserHistoryProps): VNode {
  const texts = useTexts();
  const { administration } = texts;
  const events = useSignal<LoggedEvent[]>([]);
  const next = useSignal<number | null>(null);
  const fault = useSignal<string | null>(null);
  const list = useRef<HTMLUListElement>(null);
  const read = async (before: number | null): Promise<void> => {
    try {
      const answer = await api.events({ user_id: id, limit: PAGE, before });
      if (before === null && events.value.length > PAGE) {
        // Pages that were loaded stay.
        events.value = merged(events.value, answer.events, Number.POSITIVE_INFINITY);
      } else {
        events.value = before === null ? answer.events : [...events.value, ...answer.events];
        next.value = answer.next;
      }
      fault.value = null;
    } catch (error) {
      fault.value = faultSentence(texts, error);
    }
  };
  const older = async (): Promise<void> => {
    const had = events.value.length;
    await read(events.value.at(-1)?.position ?? null);
    focusItem(list.current, had);
  };
  useEffect(() => void read(null), [id, news]);
  return (
    <section class="stack" aria-labelledby="history">
      <h2 id="history">{administration.sessions.history}</h2>
      <FaultNotice sentence={fault.value} />
      {events.value.length === 0 ? (
        <p class="quiet">{administration.none}</p>
      ) : (
        <EventList events={events.value} label={administration.sessions.history} ofUser={id} place={list} />
      )}
      <MoreButton more={next.value !== null} load={older} label={administration.events.older} />
    </section>
  );
}
