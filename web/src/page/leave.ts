/**
 * The back button may restore a page as it was left, after a logout too. So it is emptied when it is left, and reloads before it
 * shows anything.
 * @param forget drops the page's data of any user: a failed load must not bring it back
 */
export function emptyOnLeave(lookAgain: () => Promise<void>, forget: () => void): void {
  const places = (): HTMLElement[] => ['page', 'account'].flatMap((id) => document.getElementById(id) ?? []);
  window.addEventListener('pagehide', () => {
    for (const place of places()) place.hidden = true;
  });
  window.addEventListener('pageshow', (event) => {
    if (!event.persisted) return;
    forget();
    void lookAgain().finally(() => {
      for (const place of places()) place.hidden = false;
      // While it was hidden it could not take the focus.
      document.querySelector<HTMLElement>('#page h1[tabindex]')?.focus();
    });
  });
}
