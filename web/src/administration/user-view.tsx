import type { Account } from '@curfew/protocol/wire/user';
import { type ReadonlySignal, type Signal, useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { useEffect } from 'preact/hooks';
import { FaultNotice } from '../parts/fault-notice.tsx';
import { apiFaultOf } from '../session/problem.ts';
import { shown } from '../text/say.ts';
import { Loading } from '../parts/loading.tsx';
import { useTexts } from '../text/texts.ts';
import { moment } from '../text/time.ts';
import type { AccountChange, Api, LogoutTarget, Sessions } from './api.ts';
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
  const followed = useFollowedUser(api, id);
  const { user, sessions, fault, news } = followed;
  const outcome = useSignal<ActOutcome | null>(null);
  const account = user.value;
  if (!account)
    return (
      <section class="user">
        <Back />
        {fault.value === null ? <Loading /> : <FaultNotice sentence={fault.value} />}
      </section>
    );
  const name = shown(account.name) || shown(account.email);
  const act = async (work: () => Promise<ActOutcome>): Promise<boolean> => {
    const done = await runAct(texts, outcome, work);
    await followed.load();
    return done;
  };
  const end = (target: LogoutTarget): Promise<boolean> =>
    act(async () => endedOutcome(texts, await api.end(target)));
  const change = (wanted: AccountChange): Promise<boolean> =>
    act(async () => {
      user.value = await api.change(id, wanted);
      return { good: true, sentence: texts.administration.user.done };
    });
  return (
    <section class="user">
      <Back />
      <div class="head">
        <h1>
          <bdi>{name}</bdi> <Badges user={account} own={own} />
        </h1>
      </div>
      <FaultNotice sentence={fault.value} />
      {outcome.value ? <ActOutcomeNotice outcome={outcome.value} api={api} /> : null}
      <div class="two">
        <div class="now">
          <UserSessions
            name={name}
            sessions={sessions.value.sessions}
            more={sessions.value.more}
            showMore={followed.loadMore}
            end={(ids) => end({ scope: 'sessions', sessions: ids })}
            endAll={() => end({ scope: 'user', user_id: id })}
          />
        </div>
        <aside class="card">
          <UserFacts user={account} />
          <UserActs user={account} name={name} change={change} resetPassword={() => api.resetPassword(id)} />
        </aside>
        <div class="stack then">
          <UserHistory api={api} id={id} news={news.value} />
        </div>
      </div>
    </section>
  );
}

interface FollowedUser {
  user: Signal<Account | null>;
  /** The live ones. */
  sessions: ReadonlySignal<Sessions>;
  fault: ReadonlySignal<string | null>;
  /** Incremented for each event of this user, for the parts that show more. */
  news: ReadonlySignal<number>;
  load: () => Promise<void>;
  /** With one more page of sessions. */
  loadMore: () => Promise<void>;
}

/** A user and the live sessions, loaded again after each event. */
function useFollowedUser(api: Api, id: number): FollowedUser {
  const texts = useTexts();
  const user = useSignal<Account | null>(null);
  const sessions = useSignal<Sessions>({ sessions: [], more: false });
  const wanted = useSignal(PAGE);
  const fault = useSignal<string | null>(null);
  const news = useSignal(0);
  const load = async (): Promise<void> => {
    try {
      const [account, live] = await Promise.all([api.user(id), api.sessionsOf(id, false, wanted.value)]);
      user.value = account;
      sessions.value = live;
      fault.value = null;
    } catch (error) {
      const isMissing = apiFaultOf(error).code === 'not_found';
      fault.value = isMissing ? texts.administration.user.missing : faultSentence(texts, error);
    }
  };
  const loadMore = (): Promise<void> => {
    wanted.value += PAGE;
    return load();
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
  return { user, sessions, fault, news, load, loadMore };
}

function UserFacts({ user }: { user: Account }): VNode {
  const { tag, administration } = useTexts();
  const words = administration.user;
  return (
    <dl class="facts">
      <dt>{words.email}</dt>
      <dd>
        <bdi>{shown(user.email)}</bdi>
      </dd>
      <dt>{words.id}</dt>
      <dd>{user.id}</dd>
      <dt>{words.role}</dt>
      <dd>{user.role === 'admin' ? words.roleAdmin : words.roleUser}</dd>
      <dt>{words.workspace}</dt>
      <dd>
        <bdi>{shown(user.workspace) || '–'}</bdi>
      </dd>
      <dt>{words.created}</dt>
      <dd>{moment(tag, new Date(user.created_at))}</dd>
      {user.disabled_at === null ? null : (
        <>
          <dt>{words.disabledSince}</dt>
          <dd>{moment(tag, new Date(user.disabled_at))}</dd>
        </>
      )}
    </dl>
  );
}

function Back(): VNode {
  return (
    <p>
      <a href={`${base}/admin`}>← {useTexts().administration.user.back}</a>
    </p>
  );
}
