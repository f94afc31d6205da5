import type { World } from '../world/world.ts';
import type { PresentedKey } from './admit.ts';

/** A key that was accepted, for as long as its connection lasts. */
interface WatchedKey {
  /** Does the work if the key is live. Where that is not certain from memory, the database is asked first. */
  whileLive(work: () => void): void;
  /** Judges the key again: its expiry is no event, and a database that did not answer is asked again. */
  judge(): void;
  stop(): void;
}

/**
 * Watches the key of a connection. It is judged now, at each event about a key, and at each `whileLive` and `judge`.
 * @param key null: a service key of the settings, which lives as long as the process
 * @param onDead called once, when the key is revoked or has expired
 */
export function watchKey(
  { apiKeys, system }: Pick<World, 'apiKeys' | 'system'>,
  key: PresentedKey | null,
  onDead: () => void,
): WatchedKey {
  if (key === null) return { whileLive: (work) => work(), judge: () => undefined, stop: () => undefined };
  let isOver = false;
  const die = (): void => {
    if (!isOver) onDead();
    isOver = true;
  };
  const whileLive = (work: () => void): void => {
    if (isOver) return;
    const known = apiKeys.recall(key.text);
    if (known === null) return die();
    if (known !== undefined) return work();
    apiKeys
      .find(key.text)
      .then((found) => {
        if (isOver) return;
        if (found) work();
        else die();
      })
      .catch((err: unknown) => system.log.info({ err, key_id: key.id }, 'could not judge an API key again'));
  };
  const judge = (): void => whileLive(() => undefined);
  const stopWatching = apiKeys.onForget(judge);
  judge();
  return {
    whileLive(work) {
      whileLive(() => {
        apiKeys.use(key);
        work();
      });
    },
    judge,
    stop() {
      isOver = true;
      stopWatching();
    },
  };
}
