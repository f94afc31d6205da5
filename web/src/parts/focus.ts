import type { RefObject } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

/* The focus moves before the browser handles the next key: in a layout effect or a microtask, never in a later frame. */

/**
 * Takes the focus for a new message, because the pressed button may be gone. An element under a dialog cannot take it and is not
 * read out, so it waits.
 */
export function useFocusOn(news: unknown): RefObject<HTMLDivElement | null> {
  const place = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const take = (): void => place.current?.focus();
    const within = place.current?.getRootNode() as ParentNode | undefined;
    const dialog = within?.querySelector<HTMLDialogElement>('dialog[open]');
    if (!dialog) return take();
    // The event "close" comes in a later task.
    const closed = new MutationObserver(() => {
      if (!dialog.open) take();
    });
    closed.observe(dialog, { attributeFilter: ['open'] });
    return () => closed.disconnect();
  }, [news]);
  return place;
}

/** Focuses the first entry added to a list, because the pressed button may be gone. */
export function focusItem(list: Element | null, index: number): void {
  // Preact renders the new entries in a microtask, which comes before this one.
  queueMicrotask(() => {
    const item = list?.children[index];
    const link = item?.querySelector<HTMLElement>('.row-link');
    if (link) return link.focus();
    item?.setAttribute('tabindex', '-1');
    (item as HTMLElement | undefined)?.focus();
  });
}
