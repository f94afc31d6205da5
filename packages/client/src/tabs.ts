import type { LoggedOut, CurrentSession } from './interface.ts';
import type { Kept } from './kept.ts';

/** The messages between tabs. They hold no secret and no credential. */
export type Word =
  /** `renews`: the session that it replaces. */
  | { t: 'in'; session: CurrentSession; renews: string | undefined }
  /** `where` is `here`: all sessions of this user in this browser are meant. */
  | { t: 'out'; why: LoggedOut; user: number | null }
  | { t: 'changed' };

interface Tabs {
  /** Reaches every other tab, and every other client in this page. */
  say(word: Word): void;
  close(): void;
}

/** Uses BroadcastChannel, or the storage events of localStorage. */
export function openTabs(kept: Kept, hear: (word: Word) => void): Tabs {
  if (typeof BroadcastChannel !== 'undefined') {
    const channel = new BroadcastChannel(kept.prefix);
    channel.onmessage = ({ data }) => hear(data as Word);
    return { say: (word) => channel.postMessage(word), close: () => channel.close() };
  }
  const onStorage = ({ key, newValue }: StorageEvent): void => {
    if (key === `${kept.prefix}word` && newValue) hear(JSON.parse(newValue) as Word);
  };
  addEventListener('storage', onStorage);
  return {
    say(word) {
      kept.set('word', JSON.stringify(word));
      // The same message twice must be two changes.
      kept.set('word', null);
    },
    close: () => removeEventListener('storage', onStorage),
  };
}
