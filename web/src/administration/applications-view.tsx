import type { ListedClient } from '@curfew/protocol/wire/client';
import type { Logout } from '@curfew/protocol/wire/logout';
import { type Signal, useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { Loading } from '../parts/loading.tsx';
import { FaultNotice } from '../parts/fault-notice.tsx';
import { say, sayCount, shown } from '../text/say.ts';
import { useTexts } from '../text/texts.ts';
import { relative } from '../text/time.ts';
import type { Api } from './api.ts';
import { EveryoneDialog } from './everyone-dialog.tsx';
import { useRegularly } from './live.ts';
import { runAct, endedOutcome, faultSentence, type ActOutcome, ActOutcomeNotice } from './outcome.tsx';
import { Ask } from './user-acts.tsx';

const LOOK_MS = 3000;

/** Applications and their number of sessions; and the logout of everyone. */
export function ApplicationsView({ api }: { api: Api }): VNode {
  const texts = useTexts();
  const { tag, administration } = texts;
  const words = administration.apps;
  const applications = useSignal<ListedClient[] | null>(null);
  const countedAt = useSignal<string | null>(null);
  const fault = useSignal<string | null>(null);
  const outcome = useSignal<ActOutcome | null>(null);
  const asked = useSignal<ListedClient | 'everyone' | null>(null);
  const load = async (): Promise<void> => {
    try {
      const answer = await api.clients();
      applications.value = answer.clients;
      countedAt.value = answer.counted_at;
      fault.value = null;
    } catch (error) {
      fault.value = applications.value ? administration.stale : faultSentence(texts, error);
    }
  };
  useRegularly(load, LOOK_MS);
  const close = (): void => {
    asked.value = null;
  };
  const dialog = asked.value;
  return (
    <section class="applications stack">
      <div class="head">
        <h1>{administration.applications}</h1>
        <p class="quiet">{words.lead}</p>
      </div>
      <FaultNotice sentence={fault.value} />
      {outcome.value ? <ActOutcomeNotice outcome={outcome.value} api={api} /> : null}
      {applications.value === null ? (
        <Loading />
      ) : (
        <>
          <ul class="rows" aria-label={administration.applications}>
            {applications.value.map((one) => (
              <ApplicationRow key={one.client_id} application={one} onEnd={() => (asked.value = one)} />
            ))}
          </ul>
          {countedAt.value === null ? null : (
            <p class="small quiet">
              {say(words.counted, { when: relative(tag, new Date(countedAt.value), new Date()) })}
            </p>
          )}
        </>
      )}
      <EveryoneCard onEnd={() => (asked.value = 'everyone')} />
      {dialog === 'everyone' ? (
        <EveryoneDialog
          api={api}
          onClose={close}
          onEnded={(ended) => (outcome.value = endedOutcome(texts, ended))}
        />
      ) : null}
      {dialog !== null && dialog !== 'everyone' ? (
        <EndApplication
          application={dialog}
          end={() => api.end({ scope: 'client', client_id: dialog.client_id })}
          outcome={outcome}
          onClose={close}
        />
      ) : null}
    </section>
  );
}

interface ApplicationRowProps {
  application: ListedClient;
  onEnd: () => void;
}

function ApplicationRow({ application, onEnd }: ApplicationRowProps): VNode {
  const { tag, administration } = useTexts();
  const words = administration.apps;
  const { name, client_id, sessions } = application;
  return (
    <li class="application">
      <div class="what">
        <p>
          <bdi>{shown(name)}</bdi>
        </p>
        {name === client_id ? null : (
          <p class="small quiet">
            <bdi>{shown(client_id)}</bdi>
          </p>
        )}
      </div>
      <p class="count quiet">
        {sessions === null ? words.counting : sayCount(tag, administration.sessions.count, sessions)}
      </p>
      <button type="button" aria-label={say(words.endThat, { name: shown(name) })} onClick={onEnd}>
        {words.end}
      </button>
    </li>
  );
}

function EveryoneCard({ onEnd }: { onEnd: () => void }): VNode {
  const words = useTexts().administration.everyone;
  return (
    <section class="card everyone" aria-labelledby="everyone">
      <h2 id="everyone">{words.title}</h2>
      <p>{words.lead}</p>
      <div>
        <button type="button" class="bad" onClick={onEnd}>
          {words.button}
        </button>
      </div>
    </section>
  );
}

interface EndApplicationProps {
  application: ListedClient;
  end: () => Promise<Logout>;
  outcome: Signal<ActOutcome | null>;
  onClose: () => void;
}

/** Asks before the sessions of an application are ended. */
function EndApplication({ application, end, outcome, onClose }: EndApplicationProps): VNode {
  const texts = useTexts();
  const { apps: words, sessions } = texts.administration;
  const count =
    application.sessions === null ? '' : ` ${sayCount(texts.tag, sessions.count, application.sessions)}.`;
  return (
    <Ask
      title={say(words.endTitle, { name: shown(application.name) })}
      text={`${words.endText}${count}`}
      act={words.end}
      bad
      go={() => runAct(texts, outcome, async () => endedOutcome(texts, await end()))}
      onClose={onClose}
    />
  );
}
