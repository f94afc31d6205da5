import type { ComponentChildren, VNode } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
}

/** A modal dialog, open while it is rendered. Escape and a click on the backdrop close it; the focus returns by itself. */
export function Dialog({ title, onClose, children }: DialogProps): VNode {
  const place = useRef<HTMLDialogElement>(null);
  const over = useRef(false);
  const id = useId();
  // Closed before it is removed: a removed dialog does not return the focus.
  useLayoutEffect(() => {
    const dialog = place.current;
    dialog?.showModal();
    return () => {
      over.current = true;
      dialog?.close();
    };
  }, []);
  return (
    <dialog
      ref={place}
      aria-labelledby={id}
      // The browser would close it later, and keys pressed until then would be lost.
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      // The event comes later, when another dialog may be open in its place.
      onClose={() => {
        if (!over.current) onClose();
      }}
      onClick={(event) => {
        const dialog = place.current;
        if (dialog && event.target === dialog && isOutside(event, dialog)) onClose();
      }}
    >
      <div class="stack">
        <h2 id={id}>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}

/** The backdrop belongs to the dialog: only the position of the click tells them apart. */
function isOutside(event: MouseEvent, dialog: HTMLDialogElement): boolean {
  const { left, right, top, bottom } = dialog.getBoundingClientRect();
  return event.clientX < left || event.clientX > right || event.clientY < top || event.clientY > bottom;
}
