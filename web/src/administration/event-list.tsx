import type { LoggedEvent } from '@curfew/protocol/wire/event';
import type { RefObject, VNode } from 'preact';
import { say, sayCount, shown } from '../text/say.ts';
import { useTexts } from '../text/texts.ts';
import { exactly, toTheSecond } from '../text/time.ts';
import { pathOfUser } from './route.ts';
import { actorOf, reasonOf, whatHappened } from './words.ts';

/** The server's limit. */
const NOTE_CHARACTERS = 500;

interface EventListProps {
  events: readonly LoggedEvent[];
  label: string;
  /** Set on a user's own page, where the id need not be repeated. */
  ofUser?: number;
  /** Events that arrived while the page was open. */
  fresh?: ReadonlySet<number>;
  place: RefObject<HTMLUListElement | null>;
}

/** Events in words. */
export function EventList({ events, label, ofUser, fresh, place }: EventListProps): VNode {
  return (
    <ul class="rows events" aria-label={label} ref={place}>
      {events.map((event) => (
        <EventRow
          key={event.position}
          event={event}
          isOfUser={ofUser !== undefined}
          isFresh={fresh?.has(event.position) ?? false}
        />
      ))}
    </ul>
  );
}

function EventRow({
  event,
  isOfUser,
  isFresh,
}: {
  event: LoggedEvent;
  isOfUser: boolean;
  isFresh: boolean;
}): VNode {
  const texts = useTexts();
  const { tag, administration } = texts;
  const at = new Date(event.at);
  const kind = event.type === 'sessions_ended' ? ' ending' : event.count === null ? '' : ' refused';
  const details = [
    event.client_id,
    event.contract,
    event.ip_address,
    event.user_agent,
    event.device_id,
  ].filter((one): one is string => one !== null && one !== '');
  return (
    <li class={`event${kind}${isFresh ? ' fresh' : ''}`}>
      <p>
        <span class="happened">{whatHappened(texts, event)}</span>
        {event.count === null || event.last_at === null || event.count === 1 ? null : (
          <span>
            {' · '}
            {sayCount(tag, administration.events.times, event.count, {
              time: toTheSecond(tag, new Date(event.last_at)),
            })}
          </span>
        )}
        {event.details?.others ? <span> · {administration.events.others}</span> : null}
        {event.reason === null || event.reason === 'logout' ? null : (
          <span> · {reasonOf(texts, event.reason)}</span>
        )}
        {event.user_id === null || isOfUser ? null : (
          <>
            {' · '}
            <a href={pathOfUser(event.user_id)}>{say(administration.actors.user, { id: event.user_id })}</a>
          </>
        )}
      </p>
      <time class="small quiet" datetime={event.at} title={exactly(tag, at)}>
        {toTheSecond(tag, at)}
      </time>
      <p class="small quiet about">
        {say(administration.actors.by, { who: actorOf(texts, event) })}
        {details.map((detail, i) => (
          <span key={i}>
            {' · '}
            <bdi>{shown(detail)}</bdi>
          </span>
        ))}
        {' · '}
        <span title={administration.log}>#{event.position}</span>
      </p>
      {event.details?.note === undefined ? null : (
        <p class="small">
          <bdi>{shown(event.details.note, NOTE_CHARACTERS)}</bdi>
        </p>
      )}
    </li>
  );
}
