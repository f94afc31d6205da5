const CHOICES = ['light', 'dark'] as const;
const YEAR_SECONDS = 31_536_000;

/**
 * Makes the theme buttons of the page work. The choice is kept in a cookie, so that the server can write it into the
 * next page and nothing flashes in the wrong colours.
 */
export function switchTheme(): void {
  const group = document.getElementById('theme');
  if (!group) return;
  group.hidden = false;
  show(group);
  group.addEventListener('change', (event) => {
    const { value } = event.target as HTMLInputElement;
    const choice = CHOICES.find((one) => one === value);
    const { dataset } = document.documentElement;
    if (choice) dataset['theme'] = choice;
    else delete dataset['theme'];
    const secure = location.protocol === 'https:' ? '; Secure' : '';
    // The cookie store is not in every browser.
    document.cookie = `curfew_theme=${choice ?? ''}; Path=/; SameSite=Lax; Max-Age=${choice ? YEAR_SECONDS : 0}${secure}`;
  });
}

function show(group: HTMLElement): void {
  const chosen = document.documentElement.dataset['theme'] ?? '';
  for (const input of group.querySelectorAll('input')) input.checked = input.value === chosen;
}
