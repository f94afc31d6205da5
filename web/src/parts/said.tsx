import type { ReadonlySignal } from '@preact/signals';
import type { VNode } from 'preact';

/** Has a sentence read out by a screen reader without showing it: what changed on the page by itself. */
export function Said({ sentence }: { sentence: ReadonlySignal<string> }): VNode {
  return (
    <p class="unseen" role="status">
      {sentence}
    </p>
  );
}
