import type { UserSession } from '@curfew/protocol/wire/session';
import { useComputed, useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { kindOf, nameOf } from '../devices/describe.ts';
import { countryOf, near } from '../devices/place.ts';
import { MoreButton } from '../parts/more-button.tsx';
import { ActButton } from '../parts/act-button.tsx';
import { Picture } from '../parts/picture.tsx';
import { UnseenStatus } from '../parts/unseen-status.tsx';
import type { OwnSession } from '../session/client.ts';
import { say, sayCount, shown } from '../text/say.ts';
import { type Texts, useTexts } from '../text/texts.ts';
import { exactly, moment, relative } from '../text/time.ts';
import { Ask } from './user-acts.tsx';

interface UserSessionsProps {
  name: string;
  sessions: UserSession[];
  /** There are more. */
  more: boolean;
  showMore: () => Promise<void>;
  end: (ids: string[]) => Promise<boolean>;
  endAll: () => Promise<boolean>;
}

/** The live sessions of a user: end one, some, or all. */
export function UserSessions({ name, sessions, more, showMore, end, endAll }: UserSessionsProps): VNode {
  const { tag, administration } = useTexts();
  const words = administration.sessions;
  const chosen = useSignal<ReadonlySet<string>>(new Set());
  const asks = useSignal(false);
  // Sessions that ended meanwhile are no longer selected.
  const all = sessions.map(({ id }) => id);
  const live = all.filter((id) => chosen.value.has(id));
  const count = sessions.length;
  const sentence = count === 0 ? words.nothing : sayCount(tag, more ? words.countMore : words.count, count);
  const current = useSignal(sentence);
  current.value = sentence;
  const said = useComputed(() => current.value);
  const choose = (ids: string[], on: boolean): void => {
    const others = [...chosen.value].filter((id) => !ids.includes(id));
    chosen.value = new Set(on ? [...others, ...ids] : others);
  };
  return (
    <section class="stack" aria-labelledby="live-sessions">
      <div class="row spread">
        <h2 id="live-sessions">{words.live}</h2>
        <p class="small quiet" aria-hidden="true">
          {sentence}
        </p>
      </div>
      <UnseenStatus sentence={said} />
      {count === 0 ? (
        <p class="notice">{words.nothing}</p>
      ) : (
        <>
          <SessionChoices
            all={live.length === count}
            chosen={live.length}
            onAll={(on) => choose(all, on)}
            onEnd={async () => void (await end(live))}
            onEndAll={() => (asks.value = true)}
          />
          <ul class="rows" aria-labelledby="live-sessions">
            {sessions.map((session) => (
              <SessionRow
                key={session.id}
                session={session}
                chosen={chosen.value.has(session.id)}
                onChoose={(on) => choose([session.id], on)}
                onEnd={async () => void (await end([session.id]))}
              />
            ))}
          </ul>
          <MoreButton more={more} load={showMore} label={administration.more} />
        </>
      )}
      {asks.value ? (
        <Ask
          title={words.endAllTitle}
          text={say(words.endAllText, { name })}
          act={words.endAll}
          bad
          go={endAll}
          onClose={() => (asks.value = false)}
        />
      ) : null}
    </section>
  );
}

interface SessionChoicesProps {
  /** All are selected. */
  all: boolean;
  /** How many are selected. */
  chosen: number;
  onAll: (on: boolean) => void;
  onEnd: () => Promise<void>;
  onEndAll: () => void;
}

function SessionChoices({ all, chosen, onAll, onEnd, onEndAll }: SessionChoicesProps): VNode {
  const { tag, devices, administration } = useTexts();
  const words = administration.sessions;
  return (
    <div class="row spread choices">
      <label class="check">
        <input type="checkbox" checked={all} onChange={(event) => onAll(event.currentTarget.checked)} />
        <span>{words.all}</span>
      </label>
      <div class="row">
        {chosen === 0 ? null : (
          <ActButton act={onEnd} busy={devices.ending}>
            {sayCount(tag, words.endChosen, chosen)}
          </ActButton>
        )}
        <button type="button" class="bad" onClick={onEndAll}>
          {words.endAll}
        </button>
      </div>
    </div>
  );
}

function SessionRow({
  session,
  chosen,
  onChoose,
  onEnd,
}: {
  session: UserSession;
  chosen: boolean;
  onChoose: (on: boolean) => void;
  onEnd: () => Promise<void>;
}): VNode {
  const texts = useTexts();
  const words = texts.administration.sessions;
  const device = deviceOf(texts, session);
  return (
    <li class="session">
      <input
        type="checkbox"
        checked={chosen}
        aria-label={say(words.choose, { device })}
        onChange={(event) => onChoose(event.currentTarget.checked)}
      />
      <Picture of={kindOf(viewOf(session))} />
      <SessionLines session={session} />
      <ActButton act={onEnd} busy={texts.devices.ending} label={say(words.endThat, { device })}>
        {words.end}
      </ActButton>
    </li>
  );
}

/** A session, in two lines. */
export function SessionLines({ session }: { session: UserSession }): VNode {
  const texts = useTexts();
  const { tag, device: words } = texts;
  const seen = new Date(session.last_seen_at);
  const begun = new Date(session.created_at);
  const place = near(texts, session.place);
  return (
    <div class="what">
      <p>
        <bdi>{deviceOf(texts, session)}</bdi>
      </p>
      <p class="small quiet">
        {say(words.loggedIn, { date: moment(tag, begun) })}
        {' · '}
        <time datetime={session.last_seen_at} title={exactly(tag, seen)}>
          {say(words.lastActive, { when: relative(tag, seen, new Date()) })}
        </time>
        {' · '}
        <span>{session.ip_address ?? '–'}</span>
        {place === '' ? null : (
          <>
            {' · '}
            <span title={countryOf(tag, session.place)}>{place}</span>
          </>
        )}
        {' · '}
        <bdi>{shown(session.client_id)}</bdi>
      </p>
    </div>
  );
}

const deviceOf = (texts: Texts, session: UserSession): string => nameOf(texts, viewOf(session));

const viewOf = (session: UserSession): OwnSession => ({ ...session, current: false });
