import type { ListedClient } from '@curfew/protocol/wire/client';
import { useSignal } from '@preact/signals';
import type { VNode } from 'preact';
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
  const { tag, page, administration } = texts;
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
      {fault.value === null ? null : (
        <p class="notice bad" role="alert">
          {fault.value}
        </p>
      )}
      {outcome.value ? <ActOutcomeNotice outcome={outcome.value} api={api} /> : null}
      {applications.value === null ? (
        <p class="quiet" role="status">
          {page.loading}
        </p>
      ) : (
        <>
          <ul class="rows" aria-label={administration.applications}>
            {applications.value.map((one) => (
              <li class="application" key={one.client_id}>
                <div class="what">
                  <p>
                    <bdi>{shown(one.name)}</bdi>
                  </p>
                  {one.name === one.client_id ? null : (
                    <p class="small quiet">
                      <bdi>{shown(one.client_id)}</bdi>
                    </p>
                  )}
                </div>
                <p class="count quiet">
                  {one.sessions === null
                    ? words.counting
                    : sayCount(tag, administration.sessions.count, one.sessions)}
                </p>
                <button
                  type="button"
                  aria-label={say(words.endThat, { name: shown(one.name) })}
                  onClick={() => (asked.value = one)}
                >
                  {words.end}
                </button>
              </li>
            ))}
          </ul>
          {countedAt.value === null ? null : (
            <p class="small quiet">
              {say(words.counted, { when: relative(tag, new Date(countedAt.value), new Date()) })}
            </p>
          )}
        </>
      )}
      <section class="card everyone" aria-labelledby="everyone">
        <h2 id="everyone">{administration.everyone.title}</h2>
        <p>{administration.everyone.lead}</p>
        <div>
          <button type="button" class="bad" onClick={() => (asked.value = 'everyone')}>
            {administration.everyone.button}
          </button>
        </div>
      </section>
      {dialog === 'everyone' ? (
        <EveryoneDialog
          api={api}
          onClose={close}
          onEnded={(ended) => (outcome.value = endedOutcome(texts, ended))}
        />
      ) : null}
      {dialog !== null && dialog !== 'everyone' ? (
        <Ask
          title={say(words.endTitle, { name: shown(dialog.name) })}
          text={
            dialog.sessions === null
              ? words.endText
              : `${words.endText} ${sayCount(tag, administration.sessions.count, dialog.sessions)}.`
          }
          act={words.end}
          bad
          go={() =>
            runAct(texts, outcome, async () =>
              endedOutcome(texts, await api.end({ scope: 'client', client_id: dialog.client_id })),
            )
          }
          onClose={close}
        />
      ) : null}
    </section>
  );
}
