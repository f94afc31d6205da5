import type { VNode } from 'preact';
import { useTexts } from '../text/texts.ts';

/** In place of what is being loaded. */
export function Loading(): VNode {
  return (
    <p class="quiet" role="status">
      {useTexts().page.loading}
    </p>
  );
}
