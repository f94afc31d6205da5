import type { VNode } from 'preact';
import { useTexts } from '../text/texts.ts';
import { ActButton, type ActProps } from './act-button.tsx';

/** The buttons of a dialog: cancel, and the act. */
export function DialogActs({ onClose, ...act }: ActProps & { onClose: () => void }): VNode {
  return (
    <div class="row">
      <button type="button" onClick={onClose}>
        {useTexts().page.cancel}
      </button>
      <ActButton {...act} />
    </div>
  );
}
