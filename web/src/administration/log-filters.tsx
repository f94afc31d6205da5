import type { ComponentChildren, VNode } from 'preact';
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

function filtersOf(form: HTMLFormElement): Filters {
  const data = new FormData(form);
  const read = (name: string): string => {
    const value = data.get(name);
    return typeof value === 'string' ? value.trim() : '';
  };
  const fields = Object.keys(FILTERS).map((name) => [name, read(name)] as const);
  return { ...FILTERS, ...Object.fromEntries(fields) };
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
  return (
    <details class="filters">
      <summary>{words.filters}</summary>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onApply(filtersOf(event.currentTarget));
        }}
      >
        <Choice
          name="type"
          label={words.type}
          value={value.type}
          choices={{ [REFUSED]: words.refused, ...types }}
        />
        <Choice name="reason" label={words.reason} value={value.reason} choices={inLog} />
        <Field label={words.user}>
          <input name="user_id" inputMode="numeric" pattern="[1-9][0-9]{0,15}" value={value.user_id} />
        </Field>
        <Field label={words.actor}>
          <input
            name="actor"
            maxLength={30}
            pattern="user:[1-9][0-9]{0,15}|service|operator|system|anonymous"
            placeholder="user:2"
            title={words.actorHint}
            value={value.actor}
          />
        </Field>
        <Field label={words.application}>
          <input
            name="client_id"
            maxLength={64}
            pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
            value={value.client_id}
          />
        </Field>
        <Field label={words.since}>
          <input name="since" type="datetime-local" value={value.since} />
        </Field>
        <Field label={words.until}>
          <input name="until" type="datetime-local" value={value.until} />
        </Field>
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

function Field({ label, children }: { label: string; children: ComponentChildren }): VNode {
  return (
    <label class="field">
      <span>{label}</span>
      {children}
    </label>
  );
}

function Choice({
  name,
  label,
  value,
  choices,
}: {
  name: string;
  label: string;
  value: string;
  choices: Record<string, string>;
}): VNode {
  const { anything } = useTexts().administration.events;
  return (
    <Field label={label}>
      <select name={name} value={value}>
        <option value="">{anything}</option>
        {Object.entries(choices).map(([key, words]) => (
          <option key={key} value={key}>
            {words}
          </option>
        ))}
      </select>
    </Field>
  );
}
