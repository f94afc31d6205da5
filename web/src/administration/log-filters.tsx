import type { VNode } from 'preact';
import { useTexts } from '../text/texts.ts';
import type { Query } from './api.ts';

/** The fields' values. */
export interface Filters {
  type: string;
  reason: string;
  user_id: string;
  actor: string;
  client_id: string;
  since: string;
  until: string;
}

export const FILTERS: Filters = {
  type: '',
  reason: '',
  user_id: '',
  actor: '',
  client_id: '',
  since: '',
  until: '',
};

/** For the API: an instant in a field is local time. */
export function queryOf({ since, until, type, ...rest }: Filters): Query {
  const what = type === REFUSED ? { refused: 'only' } : { type };
  return { ...rest, ...what, since: instant(since), until: instant(until) };
}

/** A value of the type field: every kind of refusal. */
const REFUSED = 'refused';

function instant(text: string): string | null {
  const at = new Date(text);
  return text === '' || Number.isNaN(at.getTime()) ? null : at.toISOString();
}

interface LogFiltersProps {
  value: Filters;
  onApply: (filters: Filters) => void;
}

/** The filters of the log. */
export function LogFilters({ value, onApply }: LogFiltersProps): VNode {
  const { events: words, types, reasons } = useTexts().administration;
  // An expiry has no actor, and is shown with its session only.
  const { idle_timeout: _idle, absolute_timeout: _absolute, ...inLog } = reasons;
  const apply = (form: HTMLFormElement): void => {
    const data = new FormData(form);
    const read = (name: keyof Filters): string => {
      const value = data.get(name);
      return typeof value === 'string' ? value.trim() : '';
    };
    onApply({
      type: read('type'),
      reason: read('reason'),
      user_id: read('user_id'),
      actor: read('actor'),
      client_id: read('client_id'),
      since: read('since'),
      until: read('until'),
    });
  };
  return (
    <details class="filters">
      <summary>{words.filters}</summary>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          apply(event.currentTarget);
        }}
      >
        <Choice
          name="type"
          label={words.type}
          value={value.type}
          choices={{ [REFUSED]: words.refused, ...types }}
          anything={words.anything}
        />
        <Choice
          name="reason"
          label={words.reason}
          value={value.reason}
          choices={inLog}
          anything={words.anything}
        />
        <label class="field">
          <span>{words.user}</span>
          <input name="user_id" inputMode="numeric" pattern="[1-9][0-9]{0,15}" value={value.user_id} />
        </label>
        <label class="field">
          <span>{words.actor}</span>
          <input
            name="actor"
            maxLength={30}
            pattern="user:[1-9][0-9]{0,15}|service|operator|system|anonymous"
            placeholder="user:2"
            title={words.actorHint}
            value={value.actor}
          />
        </label>
        <label class="field">
          <span>{words.application}</span>
          <input
            name="client_id"
            maxLength={64}
            pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
            value={value.client_id}
          />
        </label>
        <label class="field">
          <span>{words.since}</span>
          <input name="since" type="datetime-local" value={value.since} />
        </label>
        <label class="field">
          <span>{words.until}</span>
          <input name="until" type="datetime-local" value={value.until} />
        </label>
        <div class="row">
          <button type="submit" class="main">
            {words.apply}
          </button>
          <button
            type="reset"
            onClick={(event) => {
              event.currentTarget.form?.reset();
              onApply(FILTERS);
            }}
          >
            {words.clear}
          </button>
        </div>
      </form>
    </details>
  );
}

function Choice({
  name,
  label,
  value,
  choices,
  anything,
}: {
  name: string;
  label: string;
  value: string;
  choices: Record<string, string>;
  anything: string;
}): VNode {
  return (
    <label class="field">
      <span>{label}</span>
      <select name={name} value={value}>
        <option value="">{anything}</option>
        {Object.entries(choices).map(([key, words]) => (
          <option key={key} value={key}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}
