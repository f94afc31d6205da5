import type { VNode } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { LoggedOut } from '../session/client.ts';
import { endedSentence } from '../session/ended.ts';
import { sayCount } from '../text/say.ts';
import { useTexts } from '../text/texts.ts';
import type { DevicesLogout } from './devices.ts';
import { everywhere } from './outcome-notice.tsx';

interface FarewellProps {
  why: LoggedOut;
  /** The message of the user's own act, if it ended the session. */
  outcome: DevicesLogout | null;
  idleSeconds: number | null;
  /** Where to log in again; without it the page around offers that. */
  login: string | null;
}

/** The page of an ended session: why, and a way to log in again. */
export function Farewell({ why, outcome, idleSeconds, login }: FarewellProps): VNode {
  const texts = useTexts();
  const { tag, farewell, devices } = texts;
  const title = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => title.current?.focus(), []);
  const result = outcome?.device === null ? outcome.result : null;
  return (
    <section class="card farewell">
      <h1 tabIndex={-1} ref={title}>
        {farewell.title}
      </h1>
      {result === null && !(why.by === 'self' && why.reason === 'logout') ? (
        <p class="notice">{endedSentence(texts, why, idleSeconds)}</p>
      ) : null}
      {login === null ? null : (
        <a class="button main" href={login}>
          {farewell.again}
        </a>
      )}
      {/* Known only when the server has answered: last, so that nothing moves away from under a finger. */}
      {result ? (
        <div class="notice good">
          <p>
            {result.server === 'pending' ? devices.later : sayCount(tag, devices.endedCount, result.ended)}
          </p>
          <p class="small">{everywhere(texts, result)}</p>
        </div>
      ) : null}
    </section>
  );
}
