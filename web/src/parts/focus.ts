import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

/**
 * Takes the focus for a new message, because the pressed button may be gone. An element under a dialog cannot take it and is not
 * read out, so it waits.
 */
export function useFocusOn(news: unknown): RefObject<HTMLDivElement | null> {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const take = (): void => place.current?.focus();
    const within = place.current?.getRootNode() as ParentNode | undefined;
    const dialog = within?.querySelector('dialog[open]');
    if (!dialog) return take();
    dialog.addEventListener('close', take, { once: true });
    return () => dialog.removeEventListener('close', take);
  }, [news]);
  return place;
}

/** Focuses the first entry added to a list, because the pressed button may be gone. */
export function focusItem(list: Element | null, index: number): void {
  requestAnimationFrame(() => {
    const item = list?.children[index];
    const link = item?.querySelector<HTMLElement>('.row-link');
    if (link) return link.focus();
    item?.setAttribute('tabindex', '-1');
    (item as HTMLElement | undefined)?.focus();
  });
}
