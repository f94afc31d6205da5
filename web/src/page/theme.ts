const CHOICES = ['light', 'dark'] as const;
const YEAR_SECONDS = 31_536_000;

/** Activates the theme buttons. The choice is in a cookie, so that the server renders the next page with it and no wrong colours flash. */
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
    // Not every browser has the cookie store.
    document.cookie = `curfew_theme=${choice ?? ''}; Path=/; SameSite=Lax; Max-Age=${choice ? YEAR_SECONDS : 0}${secure}`;
  });
}

function show(group: HTMLElement): void {
  const chosen = document.documentElement.dataset['theme'] ?? '';
  for (const input of group.querySelectorAll('input')) input.checked = input.value === chosen;
}
