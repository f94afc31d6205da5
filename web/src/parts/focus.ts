import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

/**
 * Takes the focus when there is news: the button that was pressed for it may be gone. What lies under a dialog can have no
 * focus and is not read out, so that is waited for.
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

/** Goes on at the first of what was added to a list, once it is there: the button that brought it may be gone. */
export function focusItem(list: Element | null, index: number): void {
  requestAnimationFrame(() => {
    const item = list?.children[index];
    const link = item?.querySelector<HTMLElement>('.row-link');
    if (link) return link.focus();
    item?.setAttribute('tabindex', '-1');
    (item as HTMLElement | undefined)?.focus();
  });
}
