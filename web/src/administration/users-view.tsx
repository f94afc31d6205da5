import type { Account } from '@curfew/protocol/wire/user';
import { useComputed, useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { ActButton } from '../parts/act-button.tsx';
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

/** Users by any part of the name or address. */
export function UsersView({ api }: { api: Api }): VNode {
  const texts = useTexts();
  const { tag, administration } = texts;
  const words = administration.search;
  const query = useSignal(lastQuery);
  const found = useSignal<FoundUsers | null>(null);
  const busy = useSignal(false);
  const fault = useSignal<string | null>(null);
  const running = useRef<AbortController | null>(null);
  const field = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLUListElement>(null);

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
      fault.value = apiFaultOf(error).code === 'took_too_long' ? words.tooLong : faultSentence(texts, error);
    } finally {
      if (running.current === own) busy.value = false;
    }
  };

  const more = async (): Promise<void> => {
    const had = found.value?.users.length ?? 0;
    await search(found.value?.query ?? '', found.value?.next ?? 0);
    focusItem(list.current, had);
  };

  useLayoutEffect(() => field.current?.focus(), []);
  useEffect(() => {
    void search(query.value);
    return () => running.current?.abort();
  }, []);
  const timer = useRef<number | undefined>(undefined);
  const type = (text: string): void => {
    query.value = text;
    lastQuery = text;
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => void search(text), PAUSE_MS);
  };

  const said = useComputed(() => {
    if (!found.value || busy.value) return '';
    const { users, next } = found.value;
    if (users.length === 0) return words.nobody;
    return sayCount(tag, next === null ? words.found : words.foundMore, users.length);
  });

  /** Up and down move through field and list as one. */
  const move = (event: KeyboardEvent): void => {
    const links = [...(list.current?.querySelectorAll('a') ?? [])];
    const at = links.indexOf(document.activeElement as HTMLAnchorElement);
    if (event.key === 'Enter' && at < 0 && links.length === 1) {
      event.preventDefault();
      return links[0]?.click();
    }
    const step = { ArrowDown: 1, ArrowUp: -1, Home: -links.length, End: links.length }[event.key];
    if (step === undefined || links.length === 0 || (at < 0 && event.key !== 'ArrowDown')) return;
    event.preventDefault();
    const next = Math.min(at + step, links.length - 1);
    if (next < 0 && event.key === 'ArrowUp') field.current?.focus();
    else links[Math.max(next, 0)]?.focus();
  };

  return (
    <section class="users" onKeyDown={move}>
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
      {fault.value === null ? null : (
        <p class="notice bad" role="alert">
          {fault.value}
        </p>
      )}
      {found.value && found.value.users.length > 0 ? (
        <ul class="rows" aria-label={words.results} aria-busy={busy.value} ref={list}>
          {found.value.users.map((user) => (
            <li key={user.id}>
              <a class="row-link" href={pathOfUser(user.id)}>
                <span class="who">
                  <bdi>{shown(user.name) || shown(user.email)}</bdi>
                  <Badges user={user} />
                </span>
                <bdi class="small quiet">{shown(user.email)}</bdi>
                <span class="small quiet number">{user.id}</span>
              </a>
            </li>
          ))}
        </ul>
      ) : null}
      {found.value?.next != null ? (
        <div>
          <ActButton act={more} busy={words.searching}>
            {administration.more}
          </ActButton>
        </div>
      ) : null}
    </section>
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
