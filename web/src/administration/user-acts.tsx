import type { Account } from '@curfew/protocol/wire/user';
import { useSignal } from '@preact/signals';
import type { ComponentChildren, VNode } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { DialogActs } from '../parts/dialog-acts.tsx';
import { FaultNotice } from '../parts/fault-notice.tsx';
import { ActButton } from '../parts/act-button.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { say } from '../text/say.ts';
import { useTexts } from '../text/texts.ts';
import type { AccountChange } from './api.ts';
import { faultSentence } from './outcome.tsx';

interface UserActsProps {
  user: Account;
  name: string;
  /** @returns whether it was done; errors are shown elsewhere */
  change: (change: AccountChange) => Promise<boolean>;
  /** @returns the new password */
  resetPassword: () => Promise<string>;
}

type UserAct = 'disable' | 'password' | 'role';

/** What can be done to an account. Each act asks for confirmation, because it ends sessions. */
export function UserActs({ user, name, change, resetPassword }: UserActsProps): VNode {
  const { page, administration } = useTexts();
  const words = administration.user;
  const asked = useSignal<UserAct | null>(null);
  const role = user.role === 'admin' ? 'user' : 'admin';
  const close = (): void => {
    asked.value = null;
  };
  return (
    <div class="stack">
      <h2 class="unseen">{words.acts}</h2>
      <button type="button" onClick={() => (asked.value = 'password')}>
        {words.password}
      </button>
      <button type="button" onClick={() => (asked.value = 'role')}>
        {words.changeRole}
      </button>
      {user.disabled_at === null ? (
        <button type="button" class="bad" onClick={() => (asked.value = 'disable')}>
          {words.disable}
        </button>
      ) : (
        <ActButton act={async () => void (await change({ disabled: false }))} busy={page.loading}>
          {words.enable}
        </ActButton>
      )}
      {asked.value === 'disable' ? (
        <Ask
          title={words.disableTitle}
          text={say(words.disableText, { name })}
          act={words.disable}
          bad
          go={() => change({ disabled: true })}
          onClose={close}
        />
      ) : null}
      {asked.value === 'role' ? (
        <Ask
          title={words.roleTitle}
          text={say(words.roleText, {
            name,
            role: role === 'admin' ? words.roleAdmin : words.roleUser,
          })}
          act={words.changeRole}
          go={() => change({ role })}
          onClose={close}
        />
      ) : null}
      {asked.value === 'password' ? (
        <PasswordDialog name={name} reset={resetPassword} onClose={close} />
      ) : null}
    </div>
  );
}

interface AskProps {
  title: string;
  text: string;
  /** The label of the button that does it. */
  act: string;
  bad?: boolean;
  go: () => Promise<boolean>;
  onClose: () => void;
  children?: ComponentChildren;
}

/** Asks for confirmation, does it, and closes. */
export function Ask({ title, text, act, bad = false, go, onClose }: AskProps): VNode {
  const { page } = useTexts();
  return (
    <Dialog title={title} onClose={onClose}>
      <p>{text}</p>
      <DialogActs
        onClose={onClose}
        kind={bad ? 'bad' : 'main'}
        busy={page.loading}
        act={async () => {
          await go();
          onClose();
        }}
      >
        {act}
      </DialogActs>
    </Dialog>
  );
}

function PasswordDialog({
  name,
  reset,
  onClose,
}: {
  name: string;
  reset: () => Promise<string>;
  onClose: () => void;
}): VNode {
  const texts = useTexts();
  const { page } = texts;
  const words = texts.administration.user;
  const password = useSignal<string | null>(null);
  const fault = useSignal<string | null>(null);
  const go = async (): Promise<void> => {
    fault.value = null;
    try {
      password.value = await reset();
    } catch (error) {
      fault.value = faultSentence(texts, error);
    }
  };
  return (
    <Dialog title={words.passwordTitle} onClose={onClose}>
      <FaultNotice sentence={fault.value} />
      {password.value === null ? (
        <>
          <p>{say(words.passwordText, { name })}</p>
          <DialogActs onClose={onClose} kind="main" act={go} busy={page.loading}>
            {words.password}
          </DialogActs>
        </>
      ) : (
        <NewPassword password={password.value} onClose={onClose} />
      )}
    </Dialog>
  );
}

/** The generated password, shown once, to be copied. */
function NewPassword({ password, onClose }: { password: string; onClose: () => void }): VNode {
  const { page, administration } = useTexts();
  const words = administration.user;
  const copied = useSignal(false);
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => field.current?.select(), [password]);
  return (
    <>
      <label class="field">
        <span>{words.passwordNew}</span>
        <input class="secret" ref={field} readOnly value={password} />
      </label>
      <div class="row">
        <button
          type="button"
          onClick={() => {
            // Not allowed everywhere; the selected text can be copied by hand.
            void navigator.clipboard?.writeText(password).then(
              () => (copied.value = true),
              () => field.current?.select(),
            );
          }}
        >
          <span role="status">{copied.value ? words.copied : words.copy}</span>
        </button>
        <button type="button" class="main" onClick={onClose}>
          {page.close}
        </button>
      </div>
    </>
  );
}
