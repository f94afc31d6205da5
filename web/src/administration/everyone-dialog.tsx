import type { Logout } from '@curfew/protocol/wire/logout';
import { useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { DialogActs } from '../parts/dialog-acts.tsx';
import { FaultNotice } from '../parts/fault-notice.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { apiFaultOf } from '../session/problem.ts';
import { sayCount } from '../text/say.ts';
import { useTexts } from '../text/texts.ts';
import type { Api } from './api.ts';
import { faultSentence } from './outcome.tsx';

interface EveryoneDialogProps {
  api: Api;
  onEnded: (ended: Logout) => void;
  onClose: () => void;
}

/** Counts first, requires the number to be typed, and asks again if it has changed too much meanwhile. */
export function EveryoneDialog({ api, onEnded, onClose }: EveryoneDialogProps): VNode {
  const texts = useTexts();
  const { tag, page, administration } = texts;
  const words = administration.everyone;
  const count = useSignal<number | null>(null);
  const typed = useSignal('');
  const fault = useSignal<string | null>(null);
  const field = useRef<HTMLInputElement>(null);
  const ask = async (): Promise<void> => {
    try {
      count.value = await api.countEveryone();
    } catch (error) {
      fault.value = faultSentence(texts, error);
    }
  };
  useEffect(() => void ask(), []);
  useLayoutEffect(() => field.current?.focus(), [count.value]);
  const go = async (): Promise<void> => {
    fault.value = null;
    // With or without separators it is the same number.
    if (count.value === null || typed.value.replace(/[\s.,'’\u00a0\u202f]/g, '') !== String(count.value)) {
      fault.value = words.mismatch;
      field.current?.focus();
      return;
    }
    try {
      onEnded(await api.end({ scope: 'everyone', confirm: count.value }));
      onClose();
    } catch (error) {
      const hasChanged = apiFaultOf(error).code === 'confirmation_required';
      fault.value = hasChanged ? words.changed : faultSentence(texts, error);
      if (!hasChanged) return;
      typed.value = '';
      await ask();
    }
  };
  return (
    <Dialog title={words.askTitle} onClose={onClose}>
      <FaultNotice sentence={fault.value} />
      {count.value === null ? (
        <p role="status">{words.counting}</p>
      ) : (
        <form class="stack" onSubmit={(event) => event.preventDefault()}>
          <p class="number-to-type" role="status">
            {sayCount(tag, words.text, count.value)}
          </p>
          <label class="field">
            <span>{words.type}</span>
            <input
              ref={field}
              inputMode="numeric"
              autocomplete="off"
              maxLength={20}
              value={typed.value}
              onInput={(event) => (typed.value = event.currentTarget.value)}
            />
          </label>
          <DialogActs onClose={onClose} type="submit" kind="bad" act={go} busy={page.loading}>
            {words.go}
          </DialogActs>
        </form>
      )}
    </Dialog>
  );
}
