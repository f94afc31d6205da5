import type { Account } from '@curfew/protocol/wire/user';
import { useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { useEffect } from 'preact/hooks';
import { apiFaultOf } from '../session/problem.ts';
import { shown } from '../text/say.ts';
import { useTexts } from '../text/texts.ts';
import { moment } from '../text/time.ts';
import type { Api, Sessions } from './api.ts';
import { followLog } from './live.ts';
import { endedOutcome, faultSentence, type ActOutcome, ActOutcomeNotice, runAct } from './outcome.tsx';
import { UserActs } from './user-acts.tsx';
import { UserHistory } from './user-history.tsx';
import { UserSessions } from './user-sessions.tsx';
import { Badges } from './users-view.tsx';
import { base } from '../page/base.ts';

/** Sessions on one page. */
const PAGE = 200;
/** Events of one moment cause one reload. */
const GATHER_MS = 150;

interface UserViewProps {
  api: Api;
  id: number;
  /** The administrator's own account. */
  own: boolean;
}

/** One user: details, live sessions, events, and acts. */
export function UserView({ api, id, own }: UserViewProps): VNode {
  const texts = useTexts();
  const { tag, page, administration } = texts;
  const words = administration.user;
  const user = useSignal<Account | null>(null);
  const sessions = useSignal<Sessions>({ sessions: [], more: false });
  const wanted = useSignal(PAGE);
  const fault = useSignal<string | null>(null);
  const outcome = useSignal<ActOutcome | null>(null);
  /** Incremented for each event of this user, for the parts that show more. */
  const news = useSignal(0);

  const load = async (): Promise<void> => {
    try {
      const [account, live] = await Promise.all([api.user(id), api.sessionsOf(id, false, wanted.value)]);
      user.value = account;
      sessions.value = live;
      fault.value = null;
    } catch (error) {
      fault.value = apiFaultOf(error).code === 'not_found' ? words.missing : faultSentence(texts, error);
    }
  };
  useEffect(() => {
    let timer: number | undefined;
    const soon = (): void => {
      timer ??= window.setTimeout(() => {
        timer = undefined;
        news.value++;
        void load();
      }, GATHER_MS);
    };
    const stop = followLog({ user_id: id }, { event: soon, standing: (now) => now === 'live' && soon() });
    void load();
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [id]);

  const account = user.value;
  if (!account)
    return (
      <section class="user">
        <Back />
        {fault.value === null ? (
          <p class="quiet" role="status">
            {page.loading}
          </p>
        ) : (
          <p class="notice bad" role="alert">
            {fault.value}
          </p>
        )}
      </section>
    );
  const name = shown(account.name) || shown(account.email);
  const act = async (work: () => Promise<ActOutcome>): Promise<boolean> => {
    const done = await runAct(texts, outcome, work);
    await load();
    return done;
  };
  return (
    <section class="user">
      <Back />
      <div class="head">
        <h1>
          <bdi>{name}</bdi> <Badges user={account} own={own} />
        </h1>
      </div>
      {fault.value === null ? null : (
        <p class="notice bad" role="alert">
          {fault.value}
        </p>
      )}
      {outcome.value ? <ActOutcomeNotice outcome={outcome.value} api={api} /> : null}
      <div class="two">
        <div class="now">
          <UserSessions
            name={name}
            sessions={sessions.value.sessions}
            more={sessions.value.more}
            showMore={async () => {
              wanted.value += PAGE;
              await load();
            }}
            end={(ids) =>
              act(async () => endedOutcome(texts, await api.end({ scope: 'sessions', sessions: ids })))
            }
            endAll={() => act(async () => endedOutcome(texts, await api.end({ scope: 'user', user_id: id })))}
          />
        </div>
        <aside class="card">
          <dl class="facts">
            <dt>{words.email}</dt>
            <dd>
              <bdi>{shown(account.email)}</bdi>
            </dd>
            <dt>{words.id}</dt>
            <dd>{account.id}</dd>
            <dt>{words.role}</dt>
            <dd>{account.role === 'admin' ? words.roleAdmin : words.roleUser}</dd>
            <dt>{words.workspace}</dt>
            <dd>
              <bdi>{shown(account.workspace) || '–'}</bdi>
            </dd>
            <dt>{words.created}</dt>
            <dd>{moment(tag, new Date(account.created_at))}</dd>
            {account.disabled_at === null ? null : (
              <>
                <dt>{words.disabledSince}</dt>
                <dd>{moment(tag, new Date(account.disabled_at))}</dd>
              </>
            )}
          </dl>
          <UserActs
            user={account}
            name={name}
            change={(change) =>
              act(async () => {
                user.value = await api.change(id, change);
                return { good: true, sentence: words.done };
              })
            }
            resetPassword={() => api.resetPassword(id)}
          />
        </aside>
        <div class="stack then">
          <UserHistory api={api} id={id} news={news.value} />
        </div>
      </div>
    </section>
  );
}

function Back(): VNode {
  return (
    <p>
      <a href={`${base}/admin`}>← {useTexts().administration.user.back}</a>
    </p>
  );
}
