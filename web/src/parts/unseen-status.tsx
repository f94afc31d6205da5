import type { ReadonlySignal } from '@preact/signals';
import type { VNode } from 'preact';

/** Text for screen readers only, about changes that happened by themselves. */
export function UnseenStatus({ sentence }: { sentence: ReadonlySignal<string> }): VNode {
  return (
    <p class="unseen" role="status">
      {sentence}
    </p>
  );
}
