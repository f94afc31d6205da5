import type { ComponentChildren, TargetedMouseEvent, VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

interface ActProps {
  /** What is done; the button waits for it. */
  act: () => Promise<void>;
  /** Said on the button meanwhile. */
  busy: string;
  kind?: 'main' | 'bad' | 'plain';
  /** A name for screen readers where the text alone does not say which one. */
  label?: string;
  type?: 'button' | 'submit';
  children: ComponentChildren;
}

/**
 * A button that does something that takes a while. It keeps the focus and takes no second click meanwhile. As the submit
 * button of a form it takes the Enter key of the fields too, once.
 */
export function Act({ act, busy, kind, label, type = 'button', children }: ActProps): VNode {
  const [waits, setWaits] = useState(false);
  // The second of two quick clicks comes before the button is drawn anew.
  const going = useRef(false);
  const here = useRef(true);
  useEffect(
    () => () => {
      here.current = false;
    },
    [],
  );
  const run = ({ currentTarget }: TargetedMouseEvent<HTMLButtonElement>): void => {
    // Of a form that is not filled in the browser says so itself.
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
