import type { ComponentChildren, TargetedMouseEvent, VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

export interface ActProps {
  /** The act; the button waits for it. */
  act: () => Promise<void>;
  /** The button's label meanwhile. */
  busy: string;
  kind?: 'main' | 'bad' | 'plain';
  /** A name for screen readers where the label is ambiguous. */
  label?: string;
  type?: 'button' | 'submit';
  children: ComponentChildren;
}

/**
 * A button for an act that takes a while. It keeps the focus and ignores clicks meanwhile. As a form's submit button it also
 * takes the Enter key of the fields, once.
 */
export function ActButton({ act, busy, kind, label, type = 'button', children }: ActProps): VNode {
  const [waits, setWaits] = useState(false);
  // The second of two quick clicks comes before the button is redrawn.
  const going = useRef(false);
  const here = useRef(true);
  useEffect(
    () => () => {
      here.current = false;
    },
    [],
  );
  const run = ({ currentTarget }: TargetedMouseEvent<HTMLButtonElement>): void => {
    // The browser itself reports incomplete forms.
    if (going.current || currentTarget.form?.checkValidity() === false) return;
    going.current = true;
    setWaits(true);
    void act().finally(() => {
      going.current = false;
      if (here.current) setWaits(false);
    });
  };
  return (
    <button
      type={type}
      class={kind}
      aria-label={label}
      aria-disabled={waits ? true : undefined}
      onClick={run}
    >
      {waits ? busy : children}
    </button>
  );
}
