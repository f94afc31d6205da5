import type { LoggedOut, Session } from './interface.ts';
import type { Kept } from './kept.ts';

/** What tabs say to each other. Nothing of it is a secret, or opens anything. */
export type Word =
  /** `renews`: the session whose place it has taken. */
  | { t: 'in'; session: Session; renews: string | undefined }
  /** From `here`: whatever this user has open in this browser is meant. */
  | { t: 'out'; why: LoggedOut; user: number | null }
  | { t: 'changed' };

interface Tabs {
  /** Reaches every other tab, and every other client in this page. */
  say(word: Word): void;
  close(): void;
}

/** BroadcastChannel; without it, the event that other tabs get when localStorage changes. */
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
      // The same word twice must be two changes.
      kept.set('word', null);
    },
    close: () => removeEventListener('storage', onStorage),
  };
}
