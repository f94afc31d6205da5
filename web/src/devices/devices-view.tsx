import { computed, useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import { FaultNotice } from '../parts/fault-notice.tsx';
import { UnseenStatus } from '../parts/unseen-status.tsx';
import { ActButton } from '../parts/act-button.tsx';
import type { OwnSession } from '../session/client.ts';
import { apiFaultOf } from '../session/problem.ts';
import { say, sayCount } from '../text/say.ts';
import { useTexts } from '../text/texts.ts';
import { DeviceRow } from './device-row.tsx';
import type { Devices } from './devices.ts';
import { nameOf } from './describe.ts';
import { ConfirmDialog } from './confirm-dialog.tsx';
import { EndDialog } from './end-dialog.tsx';
import { Farewell } from './farewell.tsx';
import { NameDialog } from './name-dialog.tsx';
import { OutcomeNotice } from './outcome-notice.tsx';

/** How often "3 minutes ago" is updated. */
const TICK_MS = 20_000;

interface DevicesViewProps {
  devices: Devices;
  /** Where to log in again; null where the page around offers that. */
  login: string | null;
}

type OpenDialog =
  | { what: 'name'; view: OwnSession }
  | { what: 'confirm'; view: OwnSession }
  | { what: 'others' }
  | { what: 'all' };

export function DevicesView({ devices, login }: DevicesViewProps): VNode {
  const texts = useTexts();
  const { tag, page, devices: words } = texts;
  const now = useSignal(new Date());
  const asked = useSignal<OpenDialog | null>(null);
  const failed = useSignal<string | null>(null);
  const idleSeconds = useSignal<number | null>(null);
  const said = useMemo(
    () =>
      computed(() => {
        const { appeared = [], vanished = [] } = devices.change.value ?? {};
        return [
          ...appeared.map((view) => say(words.appeared, { device: nameOf(texts, view) })),
          ...vanished.map((view) => say(words.vanished, { device: nameOf(texts, view) })),
        ].join(' ');
      }),
    [devices, texts],
  );
  useEffect(() => {
    const timer = setInterval(() => {
      now.value = new Date();
    }, TICK_MS);
    return () => clearInterval(timer);
  }, []);

  const why = devices.over.value;
  const list = devices.list.value;
  const problem = devices.problem.value;
  useEffect(() => {
    const here = list?.find(({ current }) => current);
    if (here) idleSeconds.value = idleOf(here);
  }, [list]);
  if (why)
    return (
      <Farewell why={why} outcome={devices.outcome.value} idleSeconds={idleSeconds.value} login={login} />
    );
  if (!list)
    return (
      <section class="devices">
        <h1>{words.title}</h1>
        {problem ? (
          <div class="notice bad stack" role="alert">
            <p>{words.notLoaded}</p>
            <div>
              <ActButton act={() => devices.load()} busy={page.loading}>
                {page.retry}
              </ActButton>
            </div>
          </div>
        ) : (
          <p class="quiet" role="status">
            {page.loading}
          </p>
        )}
      </section>
    );

  const total = devices.total.value;
  const others = total - list.filter((view) => view.current).length;
  const close = (): void => {
    asked.value = null;
  };
  const endOne = async (view: OwnSession): Promise<void> => {
    failed.value = null;
    try {
      if (!(await devices.end(view))) failed.value = words.already;
    } catch (error) {
      const { code } = apiFaultOf(error);
      if (code === 'login_too_old') asked.value = { what: 'confirm', view };
      else failed.value = code === 'not_logged_out' ? words.notEnded : words.failed;
    }
  };
  const outcome = devices.outcome.value;
  const dialog = asked.value;

  return (
    <section class="devices">
      <div class="head">
        <h1>{words.title}</h1>
        <p class="quiet">{sayCount(tag, words.lead, total)}</p>
      </div>
      <UnseenStatus sentence={said} />
      <FaultNotice sentence={problem ? words.unreachable : null} />
      <FaultNotice sentence={failed.value} />
      {outcome ? <OutcomeNotice outcome={outcome} /> : null}
      <ul class="device-list" aria-label={words.list}>
        {list.map((view) => (
          <DeviceRow
            key={view.id}
            view={view}
            now={now.value}
            fresh={devices.fresh.value.has(view.id)}
            onRename={() => {
              asked.value = { what: 'name', view };
            }}
            onEnd={() => (view.current ? devices.endMany('this') : endOne(view))}
          />
        ))}
      </ul>
      {devices.hasMore.value ? (
        <div>
          <ActButton act={() => devices.more()} busy={page.loading}>
            {words.further}
          </ActButton>
        </div>
      ) : null}
      <div class="ends">
        {others > 0 ? (
          <button type="button" onClick={() => (asked.value = { what: 'others' })}>
            {words.endOthers}
          </button>
        ) : null}
        <button type="button" class="bad" onClick={() => (asked.value = { what: 'all' })}>
          {words.endAll}
        </button>
      </div>
      {dialog?.what === 'name' ? (
        <NameDialog view={dialog.view} rename={(name) => devices.rename(dialog.view, name)} onClose={close} />
      ) : null}
      {dialog?.what === 'confirm' ? (
        <ConfirmDialog
          confirm={async (password) => {
            await devices.confirm(password);
            await endOne(dialog.view);
          }}
          onClose={close}
        />
      ) : null}
      {dialog && (dialog.what === 'others' || dialog.what === 'all') ? (
        <EndDialog
          scope={dialog.what}
          count={dialog.what === 'all' ? total : others}
          end={() => devices.endMany(dialog.what as 'others' | 'all')}
          confirm={(password) => devices.confirm(password)}
          onClose={close}
        />
      ) : null}
    </section>
  );
}

/** The idle lifetime, from the server's instants only: this device's clock may be wrong. */
function idleOf({ last_seen_at, idle_expires_at }: OwnSession): number {
  return Math.round((new Date(idle_expires_at).getTime() - new Date(last_seen_at).getTime()) / 1000);
}
