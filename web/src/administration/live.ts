import type { LoggedEvent } from '@curfew/protocol/wire/event';
import { useEffect } from 'preact/hooks';
import type { Query } from './api.ts';
import { searchOf } from './api.ts';
import { base } from '../page/base.ts';

export type LiveState = 'connecting' | 'live' | 'paused';

interface LiveListener {
  event(event: LoggedEvent): void;
  standing(standing: LiveState): void;
}

const AGAIN_MS = 3000;

/**
 * Follows the log while the page is visible: a page in the background holds none of the browser's few connections, and continues
 * later where it stopped. Events may come twice.
 * @returns stops
 */
export function followLog(query: Query, listener: LiveListener): () => void {
  let source: EventSource | null = null;
  let cursor: string | null = null;
  let again: number | undefined;
  const close = (): void => {
    clearTimeout(again);
    source?.close();
    source = null;
  };
  const open = (): void => {
    if (source) return;
    listener.standing('connecting');
    source = new EventSource(`${base}/v1/admin/events${searchOf({ ...query, cursor })}`);
    source.onopen = () => listener.standing('live');
    source.onerror = () => {
      listener.standing('connecting');
      // EventSource reconnects a broken line by itself, but gives up on an error response (HTML Standard, section 9.2.3).
      if (source?.readyState !== EventSource.CLOSED) return;
      close();
      again = window.setTimeout(look, AGAIN_MS * (0.5 + Math.random()));
    };
    source.onmessage = ({ data, lastEventId }: MessageEvent<string>) => {
      if (lastEventId !== '') cursor = lastEventId;
      listener.event(JSON.parse(data) as LoggedEvent);
    };
  };
  const look = (): void => {
    if (document.visibilityState === 'visible') open();
    else close();
  };
  document.addEventListener('visibilitychange', look);
  look();
  return () => {
    document.removeEventListener('visibilitychange', look);
    close();
  };
}

/** Runs work now, and repeatedly while the page is visible, one run after another. */
export function useRegularly(work: () => Promise<void>, everyMs: number, key: unknown = null): void {
  useEffect(() => {
    let timer: number | undefined;
    let stopped = false;
    const run = async (): Promise<void> => {
      if (document.visibilityState === 'visible') await work();
      if (!stopped) timer = window.setTimeout(() => void run(), everyMs);
    };
    void run();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [key]);
}
