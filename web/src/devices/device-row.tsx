import type { VNode } from 'preact';
import { Picture } from '../parts/picture.tsx';
import { ActButton } from '../parts/act-button.tsx';
import type { OwnSession } from '../session/client.ts';
import { say, shown } from '../text/say.ts';
import { exactly, moment } from '../text/time.ts';
import { useTexts } from '../text/texts.ts';
import { countryOf, near } from './place.ts';
import { activity, begun, endsAt, kindOf, makeOf, nameOf } from './describe.ts';

interface DeviceRowProps {
  view: OwnSession;
  now: Date;
  /** It appeared while the page was open. */
  fresh: boolean;
  onRename: () => void;
  onEnd: () => Promise<void>;
}

/** One device: description, last use, actions. */
export function DeviceRow({ view, now, fresh, onRename, onEnd }: DeviceRowProps): VNode {
  const texts = useTexts();
  const { tag, devices } = texts;
  const name = nameOf(texts, view);
  const make = makeOf(texts, view);
  const seen = new Date(view.last_seen_at);
  const created = new Date(view.created_at);
  const place = near(texts, view.place);
  return (
    <li class={['device', view.current && 'current', fresh && 'fresh'].filter(Boolean).join(' ')}>
      <Picture of={kindOf(view)} />
      <div class="what">
        <h2>
          <bdi>{name}</bdi>
          {view.current ? <span class="badge">{devices.this}</span> : null}
          {fresh ? <span class="badge good">{devices.new}</span> : null}
        </h2>
        {name === make ? null : <p class="small quiet">{make}</p>}
        <p class="small quiet dotted">
          <time datetime={view.last_seen_at} title={exactly(tag, seen)}>
            {activity(texts, view, now)}
          </time>
          {place === '' ? null : <span title={countryOf(tag, view.place)}>{place}</span>}
          <time datetime={view.created_at} title={exactly(tag, created)}>
            {begun(texts, view)}
          </time>
        </p>
        <details>
          <summary>
            {devices.more}
            <span class="unseen"> {name}</span>
          </summary>
          <dl class="facts">
            <dt>{devices.address}</dt>
            <dd>{view.ip_address ?? '–'}</dd>
            <dt>{devices.application}</dt>
            <dd>{shown(view.client_id)}</dd>
            <dt>{devices.seen}</dt>
            <dd>{moment(tag, seen)}</dd>
            <dt>{devices.until}</dt>
            <dd>{moment(tag, endsAt(view))}</dd>
          </dl>
        </details>
      </div>
      <div class="acts">
        <button
          type="button"
          class="plain"
          aria-label={say(devices.renameThat, { device: name })}
          onClick={onRename}
        >
          {devices.rename}
        </button>
        <ActButton act={onEnd} busy={devices.ending} label={say(devices.endThat, { device: name })}>
          {devices.end}
        </ActButton>
      </div>
    </li>
  );
}
