import type { RefObject, VNode } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { DialogActs } from '../parts/dialog-acts.tsx';
import { FaultNotice } from '../parts/fault-notice.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { apiFaultOf } from '../session/problem.ts';
import { say } from '../text/say.ts';
import { type Texts, useTexts } from '../text/texts.ts';
import { relative } from '../text/time.ts';

/** The error of the password, or of the act that it was for. */
export function confirmFault({ tag, devices, login }: Texts, error: unknown): string {
  const { code, retryAfter } = apiFaultOf(error);
  const now = new Date();
  if (code === 'invalid_credentials' || code === 'invalid_request') return devices.wrongPassword;
  if (code === 'rate_limited')
    return say(login.tooMany, {
      when: relative(tag, new Date(now.getTime() + (retryAfter ?? 60) * 1000), now),
    });
  if (code === 'not_logged_out') return devices.notEnded;
  return code === 'unreachable' ? login.unreachable : devices.failed;
}

/** The password field, where the login is too old. */
export function PasswordAgain({ field }: { field: RefObject<HTMLInputElement | null> }): VNode {
  const { devices, login } = useTexts();
  return (
    <div class="stack" role="group" aria-label={devices.confirmTitle}>
      <p class="notice" role="status">
        {devices.confirmText}
      </p>
      <label class="field">
        <span>{login.password}</span>
        <input
          ref={field}
          name="password"
          type="password"
          autocomplete="current-password"
          maxLength={1024}
          required
        />
      </label>
    </div>
  );
}

interface ConfirmDialogProps {
  /** Confirms, and repeats the act. */
  confirm: (password: string) => Promise<void>;
  onClose: () => void;
}

/** Asks for the password when the login is too old (`login_too_old`). */
export function ConfirmDialog({ confirm, onClose }: ConfirmDialogProps): VNode {
  const texts = useTexts();
  const { page, devices } = texts;
  const [fault, setFault] = useState<string | null>(null);
  const password = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => password.current?.focus(), []);
  const go = async (): Promise<void> => {
    setFault(null);
    try {
      await confirm(password.current?.value ?? '');
      onClose();
    } catch (error) {
      setFault(confirmFault(texts, error));
    }
  };
  return (
    <Dialog title={devices.confirmTitle} onClose={onClose}>
      <form class="stack" onSubmit={(event) => event.preventDefault()}>
        <FaultNotice sentence={fault} />
        <PasswordAgain field={password} />
        <DialogActs onClose={onClose} type="submit" kind="main" act={go} busy={page.loading}>
          {devices.confirmTitle}
        </DialogActs>
      </form>
    </Dialog>
  );
}
