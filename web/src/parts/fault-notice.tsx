import type { VNode } from 'preact';

/** An error in a sentence, which screen readers announce; nothing without one. */
export function FaultNotice({ sentence }: { sentence: string | null }): VNode | null {
  return sentence === null ? null : (
    <p class="notice bad" role="alert">
      {sentence}
    </p>
  );
}
