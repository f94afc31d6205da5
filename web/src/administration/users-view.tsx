import type { Account } from '@curfew/protocol/wire/user';
import { type Signal, useComputed, useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { MoreButton } from '../parts/more-button.tsx';
import { FaultNotice } from '../parts/fault-notice.tsx';
import { focusItem } from '../parts/focus.ts';
import { UnseenStatus } from '../parts/unseen-status.tsx';
import { apiFaultOf } from '../session/problem.ts';
import { sayCount, shown } from '../text/say.ts';
import { useTexts } from '../text/texts.ts';
import type { Api } from './api.ts';
import { faultSentence } from './outcome.tsx';
import { pathOfUser } from './route.ts';

const PAGE = 25;
/** A pause in typing: a search for each letter would be wasted. */
const PAUSE_MS = 220;

interface FoundUsers {
  query: string;
  users: Account[];
  next: number | null;
}

/** Kept while a user's page is open. */
let lastQuery = '';

interface UserSearch {
  query: Signal<string>;
  found: Signal<FoundUsers | null>;
  busy: Signal<boolean>;
  fault: Signal<string | null>;
  /** Searches after a pause in typing. */
  type: (text: string) => void;
  more: () => Promise<void>;
}

/** The search: only the answer to the newest request counts. */
function useUserSearch(api: Api): UserSearch {
  const texts = useTexts();
  const query = useSignal(lastQuery);
  const found = useSignal<FoundUsers | null>(null);
  const busy = useSignal(false);
  const fault = useSignal<string | null>(null);
  const running = useRef<AbortController | null>(null);
  const timer = useRef<number | undefined>(undefined);
  const search = async (text: string, after = 0): Promise<void> => {
    running.current?.abort();
    const own = new AbortController();
    running.current = own;
    busy.value = true;
    try {
      const { users, next } = await api.users({ query: text.trim(), after, limit: PAGE }, own.signal);
      if (own.signal.aborted) return;
      const before = after > 0 ? (found.value?.users ?? []) : [];
      found.value = { query: text, users: [...before, ...users], next };
      fault.value = null;
    } catch (error) {
      // A newer search has replaced it.
      if (own.signal.aborted) return;
      const tookTooLong = apiFaultOf(error).code === 'took_too_long';
      fault.value = tookTooLong ? texts.administration.search.tooLong : faultSentence(texts, error);
    } finally {
      if (running.current === own) busy.value = false;
    }
  };
  useEffect(() => {
    void search(query.value);
    return () => running.current?.abort();
  }, []);
  const type = (text: string): void => {
    query.value = text;
    lastQuery = text;
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => void search(text), PAUSE_MS);
  };
  const more = (): Promise<void> => search(found.value?.query ?? '', found.value?.next ?? 0);
  return { query, found, busy, fault, type, more };
}

/** Users by any part of the name or address. */
export function UsersView({ api }: { api: Api }): VNode {
  const { tag, administration } = useTexts();
  const words = administration.search;
  const { query, found, busy, fault, type, more } = useUserSearch(api);
  const field = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLUListElement>(null);
  useLayoutEffect(() => field.current?.focus(), []);
  const said = useComputed(() => {
    if (!found.value || busy.value) return '';
    const { users, next } = found.value;
    if (users.length === 0) return words.nobody;
    return sayCount(tag, next === null ? words.found : words.foundMore, users.length);
  });
  const goOn = async (): Promise<void> => {
    const had = found.value?.users.length ?? 0;
    await more();
    focusItem(list.current, had);
  };
  return (
    <section class="users" onKeyDown={(event) => moveFocus(event, field.current, list.current)}>
      <h1>{words.title}</h1>
      <label class="field">
        <span>{words.label}</span>
        <input
          ref={field}
          type="search"
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          maxLength={200}
          value={query.value}
          aria-describedby="search-keys"
          onInput={(event) => type(event.currentTarget.value)}
        />
      </label>
      <div class="row spread">
        <p class="small quiet" id="search-keys">
          {words.keys}
        </p>
        <p class="small quiet" aria-hidden="true">
          {busy.value ? words.searching : said.value}
        </p>
      </div>
      <UnseenStatus sentence={said} />
      <FaultNotice sentence={fault.value} />
      {found.value && found.value.users.length > 0 ? (
        <ul class="rows" aria-label={words.results} aria-busy={busy.value} ref={list}>
          {found.value.users.map((user) => (
            <UserRow key={user.id} user={user} />
          ))}
        </ul>
      ) : null}
      <MoreButton
        more={found.value?.next != null}
        load={goOn}
        label={administration.more}
        busy={words.searching}
      />
    </section>
  );
}

/** Up and down move through field and list as one. */
function moveFocus(
  event: KeyboardEvent,
  field: HTMLInputElement | null,
  list: HTMLUListElement | null,
): void {
  const links = [...(list?.querySelectorAll('a') ?? [])];
  const at = links.indexOf(document.activeElement as HTMLAnchorElement);
  if (event.key === 'Enter' && at < 0 && links.length === 1) {
    event.preventDefault();
    return links[0]?.click();
  }
  const step = { ArrowDown: 1, ArrowUp: -1, Home: -links.length, End: links.length }[event.key];
  if (step === undefined || links.length === 0 || (at < 0 && event.key !== 'ArrowDown')) return;
  event.preventDefault();
  const next = Math.min(at + step, links.length - 1);
  if (next < 0 && event.key === 'ArrowUp') field?.focus();
  else links[Math.max(next, 0)]?.focus();
}

function UserRow({ user }: { user: Account }): VNode {
  return (
    <li>
      <a class="row-link" href={pathOfUser(user.id)}>
        <span class="who">
          <bdi>{shown(user.name) || shown(user.email)}</bdi>
          <Badges user={user} />
        </span>
        <bdi class="small quiet">{shown(user.email)}</bdi>
        <span class="small quiet number">{user.id}</span>
      </a>
    </li>
  );
}

/** The unusual properties of an account. */
export function Badges({ user, own = false }: { user: Account; own?: boolean }): VNode {
  const { user: words } = useTexts().administration;
  return (
    <>
      {own ? <span class="badge">{words.you}</span> : null}
      {user.role === 'admin' ? <span class="badge">{words.roleAdmin}</span> : null}
      {user.disabled_at === null ? null : <span class="badge bad">{words.disabled}</span>}
    </>
  );
}
