import type { VNode } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { DialogActs } from '../parts/dialog-acts.tsx';
import { FaultNotice } from '../parts/fault-notice.tsx';
import { Dialog } from '../parts/dialog.tsx';
import type { OwnSession } from '../session/client.ts';
import { say, shown } from '../text/say.ts';
import { useTexts } from '../text/texts.ts';
import { makeOf } from './describe.ts';

interface NameDialogProps {
  view: OwnSession;
  rename: (name: string) => Promise<void>;
  onClose: () => void;
}

/** Names a device. */
export function NameDialog({ view, rename, onClose }: NameDialogProps): VNode {
  const texts = useTexts();
  const { devices, page } = texts;
  const [failed, setFailed] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const save = async (): Promise<void> => {
    setFailed(false);
    try {
      await rename(shown(field.current?.value ?? ''));
      onClose();
    } catch {
      // After any error the old name stands, and the same input can be tried again.
      setFailed(true);
    }
  };
  return (
    <Dialog title={say(devices.renameThat, { device: makeOf(texts, view) })} onClose={onClose}>
      <form class="stack" onSubmit={(event) => event.preventDefault()}>
        <FaultNotice sentence={failed ? devices.failed : null} />
        <label class="field">
          <span>{devices.nameLabel}</span>
          <input
            ref={field}
            name="name"
            autocomplete="off"
            maxLength={80}
            autofocus
            defaultValue={shown(view.device.name)}
            aria-describedby="name-hint"
          />
          <small id="name-hint" class="quiet">
            {devices.nameHint}
          </small>
        </label>
        <DialogActs onClose={onClose} type="submit" kind="main" act={save} busy={page.save}>
          {page.save}
        </DialogActs>
      </form>
    </Dialog>
  );
}
