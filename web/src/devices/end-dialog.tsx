import type { VNode } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { DialogActs } from '../parts/dialog-acts.tsx';
import { FaultNotice } from '../parts/fault-notice.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { apiFaultOf } from '../session/problem.ts';
import { sayCount } from '../text/say.ts';
import { useTexts } from '../text/texts.ts';
import { confirmFault, PasswordAgain } from './confirm-dialog.tsx';

interface EndDialogProps {
  scope: 'others' | 'all';
  /** The number of sessions that will end. */
  count: number;
  end: () => Promise<void>;
  confirm: (password: string) => Promise<void>;
  onClose: () => void;
}

/** Asks before many are ended, and for the password when the login is too old (`login_too_old`). */
export function EndDialog({ scope, count, end, confirm, onClose }: EndDialogProps): VNode {
  const texts = useTexts();
  const { tag, devices } = texts;
  const [asksPassword, setAsksPassword] = useState(false);
  const [fault, setFault] = useState<string | null>(null);
  const password = useRef<HTMLInputElement>(null);

  // The dialog is open already, so its field does not get the focus by itself.
  useLayoutEffect(() => password.current?.focus(), [asksPassword]);

  const go = async (): Promise<void> => {
    setFault(null);
    try {
      if (asksPassword) await confirm(password.current?.value ?? '');
      await end();
      onClose();
    } catch (error) {
      if (apiFaultOf(error).code === 'login_too_old') setAsksPassword(true);
      else setFault(confirmFault(texts, error));
    }
  };

  return (
    <Dialog title={scope === 'all' ? devices.allTitle : devices.othersTitle} onClose={onClose}>
      <p>{sayCount(tag, scope === 'all' ? devices.allText : devices.othersText, count)}</p>
      <form class="stack" onSubmit={(event) => event.preventDefault()}>
        <FaultNotice sentence={fault} />
        {asksPassword ? <PasswordAgain field={password} /> : null}
        <DialogActs
          onClose={onClose}
          type="submit"
          kind={scope === 'all' ? 'bad' : 'main'}
          act={go}
          busy={devices.ending}
        >
          {scope === 'all' ? devices.endAll : devices.endOthers}
        </DialogActs>
      </form>
    </Dialog>
  );
}
