import { computed, type ReadonlySignal, type Signal, useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import { Loading } from '../parts/loading.tsx';
import { MoreButton } from '../parts/more-button.tsx';
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
  | { what: 'others' | 'all' };

export function DevicesView({ devices, login }: DevicesViewProps): VNode {
  const idleSeconds = useSignal<number | null>(null);
  const why = devices.over.value;
  const list = devices.list.value;
  useEffect(() => {
    const here = list?.find(({ current }) => current);
    if (here) idleSeconds.value = idleOf(here);
  }, [list]);
  if (why)
    return (
      <Farewell why={why} outcome={devices.outcome.value} idleSeconds={idleSeconds.value} login={login} />
    );
  return list ? <LoadedDevices devices={devices} list={list} /> : <MissingDevices devices={devices} />;
}

/** Until the devices are loaded. */
function MissingDevices({ devices }: { devices: Devices }): VNode {
  const { page, devices: words } = useTexts();
  return (
    <section class="devices">
      <h1>{words.title}</h1>
      {devices.problem.value ? (
        <div class="notice bad stack" role="alert">
          <p>{words.notLoaded}</p>
          <div>
            <ActButton act={() => devices.load()} busy={page.loading}>
              {page.retry}
            </ActButton>
          </div>
        </div>
      ) : (
        <Loading />
      )}
    </section>
  );
}

function LoadedDevices({ devices, list }: { devices: Devices; list: OwnSession[] }): VNode {
  const { tag, devices: words } = useTexts();
  const now = useNow();
  const asked = useSignal<OpenDialog | null>(null);
  const failed = useSignal<string | null>(null);
  const said = useNews(devices);
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
  return (
    <section class="devices">
      <div class="head">
        <h1>{words.title}</h1>
        <p class="quiet">{sayCount(tag, words.lead, devices.total.value)}</p>
      </div>
      <UnseenStatus sentence={said} />
      <FaultNotice sentence={devices.problem.value ? words.unreachable : null} />
      <FaultNotice sentence={failed.value} />
      {devices.outcome.value ? <OutcomeNotice outcome={devices.outcome.value} /> : null}
      <ul class="device-list" aria-label={words.list}>
        {list.map((view) => (
          <DeviceRow
            key={view.id}
            view={view}
            now={now.value}
            fresh={devices.fresh.value.has(view.id)}
            onRename={() => (asked.value = { what: 'name', view })}
            onEnd={() => (view.current ? devices.endMany('this') : endOne(view))}
          />
        ))}
      </ul>
      <MoreButton more={devices.hasMore.value} load={() => devices.more()} label={words.further} />
      <div class="ends">
        {devices.others > 0 ? (
          <button type="button" onClick={() => (asked.value = { what: 'others' })}>
            {words.endOthers}
          </button>
        ) : null}
        <button type="button" class="bad" onClick={() => (asked.value = { what: 'all' })}>
          {words.endAll}
        </button>
      </div>
      <DeviceDialog devices={devices} asked={asked} endOne={endOne} />
    </section>
  );
}

interface DeviceDialogProps {
  devices: Devices;
  asked: Signal<OpenDialog | null>;
  endOne: (view: OwnSession) => Promise<void>;
}

/** The dialog that is open. */
function DeviceDialog({ devices, asked, endOne }: DeviceDialogProps): VNode | null {
  const dialog = asked.value;
  const close = (): void => {
    asked.value = null;
  };
  if (!dialog) return null;
  switch (dialog.what) {
    case 'name':
      return (
        <NameDialog view={dialog.view} rename={(name) => devices.rename(dialog.view, name)} onClose={close} />
      );
    case 'confirm':
      return (
        <ConfirmDialog
          confirm={async (password) => {
            await devices.confirm(password);
            await endOne(dialog.view);
          }}
          onClose={close}
        />
      );
    default:
      return (
        <EndDialog
          scope={dialog.what}
          count={dialog.what === 'all' ? devices.total.value : devices.others}
          end={() => devices.endMany(dialog.what)}
          confirm={(password) => devices.confirm(password)}
          onClose={close}
        />
      );
  }
}

/** The present, for "3 minutes ago". */
function useNow(): Signal<Date> {
  const now = useSignal(new Date());
  useEffect(() => {
    const timer = setInterval(() => {
      now.value = new Date();
    }, TICK_MS);
    return () => clearInterval(timer);
  }, []);
  return now;
}

/** What changed by itself, in sentences. */
function useNews(devices: Devices): ReadonlySignal<string> {
  const texts = useTexts();
  const { appeared, vanished } = texts.devices;
  return useMemo(
    () =>
      computed(() => {
        const change = devices.change.value ?? { appeared: [], vanished: [] };
        return [
          ...change.appeared.map((view) => say(appeared, { device: nameOf(texts, view) })),
          ...change.vanished.map((view) => say(vanished, { device: nameOf(texts, view) })),
        ].join(' ');
      }),
    [devices, texts],
  );
}

/** The idle lifetime, from the server's instants only: this device's clock may be wrong. */
function idleOf({ last_seen_at, idle_expires_at }: OwnSession): number {
  return Math.round((new Date(idle_expires_at).getTime() - new Date(last_seen_at).getTime()) / 1000);
}
