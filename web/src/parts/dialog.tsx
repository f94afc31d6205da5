import type { ComponentChildren, VNode } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
}

/** A question over the page, open while it is there. Escape and a click beside it close it; focus goes back by itself. */
export function Dialog({ title, onClose, children }: DialogProps): VNode {
  const place = useRef<HTMLDialogElement>(null);
  const over = useRef(false);
  const id = useId();
  // Closed while it is still in the page: out of it, it does not give the focus back.
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
      // Not closed by the browser itself: it would say so later, and a key that is pressed until then would be lost.
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      // Word of it comes later; by then another one may be open in its place.
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

/** The backdrop belongs to the dialog: only where the click was tells them apart. */
function isOutside(event: MouseEvent, dialog: HTMLDialogElement): boolean {
  const { left, right, top, bottom } = dialog.getBoundingClientRect();
  return event.clientX < left || event.clientX > right || event.clientY < top || event.clientY > bottom;
}
