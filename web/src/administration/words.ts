import type { LoggedEvent } from '@curfew/protocol/wire/event';
import type { Plural } from '../../languages/language.ts';
import { say, sayCount, shown } from '../text/say.ts';
import type { Texts } from '../text/texts.ts';

/* The log's words for people. An unknown one is shown as it is. */

const known = <T>(words: Record<string, T>, key: string): T | null =>
  Object.hasOwn(words, key) ? (words[key] ?? null) : null;

export const reasonOf = ({ administration }: Texts, reason: string): string =>
  known<string>(administration.reasons, reason) ?? shown(reason);

export function actorOf(
  { administration: { actors } }: Texts,
  { actor, actor_name: name }: Pick<LoggedEvent, 'actor' | 'actor_name'>,
): string {
  if (name !== null) return `${shown(name)} (${actor})`;
  if (actor.startsWith('user:')) return say(actors.user, { id: actor.slice(5) });
  const { service, operator, system, anonymous } = actors;
  return known({ service, operator, system, anonymous }, actor) ?? shown(actor);
}

/** What happened: "Sessions ended: all of the user". */
export function whatHappened(texts: Texts, event: LoggedEvent): string {
  const { types } = texts.administration;
  const what = known<string>(types, event.type) ?? shown(event.type);
  const scope = event.type === 'sessions_ended' ? scopeOf(texts, event) : '';
  return scope === '' ? what : `${what}${texts.tag.startsWith('zh') ? '：' : ': '}${scope}`;
}

function scopeOf({ tag, administration: { scopes } }: Texts, event: LoggedEvent): string {
  if (event.scope === null) return '';
  const sentence = known<string | Plural>(scopes, event.scope);
  if (sentence === null) return shown(event.scope);
  if (typeof sentence !== 'string')
    return sayCount(
      tag,
      sentence,
      event.scope === 'users' ? (event.user_ids?.length ?? 0) : (event.session_ids?.length ?? 1),
    );
  return say(sentence, { name: shown(event.client_id ?? event.tenant ?? '') });
}
