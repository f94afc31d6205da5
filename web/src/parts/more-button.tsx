import type { VNode } from 'preact';
import { useTexts } from '../text/texts.ts';
import { ActButton } from './act-button.tsx';

interface MoreButtonProps {
  /** There is more to load. */
  more: boolean;
  load: () => Promise<void>;
  label: string;
  /** The label meanwhile, if it is another than that of loading. */
  busy?: string;
}

/** Below a list of which more can be loaded. */
export function MoreButton({ more, load, label, busy }: MoreButtonProps): VNode | null {
  const { page } = useTexts();
  return more ? (
    <div>
      <ActButton act={load} busy={busy ?? page.loading}>
        {label}
      </ActButton>
    </div>
  ) : null;
}
