/**
 * The back button may bring a page back as it was left, after a logout too. So it is left empty, and looks again before it
 * shows anything.
 * @param forget lets go of what the page holds of anybody: a look that fails must not bring it back
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
    });
  });
}
