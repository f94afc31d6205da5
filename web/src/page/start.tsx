import { type ComponentChild, hydrate, render } from 'preact';
import { type Texts, TextsContext } from '../text/texts.ts';
import { switchTheme } from './theme.ts';

/** What the server wrote into the page for its script. */
export interface PageState {
  /** Where the texts of this language are: a module, so that the server can have it loaded beforehand. */
  texts: string;
}

/**
 * Starts a page: reads what the server left for it, loads the texts of the language, and renders into `#page`.
 * @param how 'hydrate' when the server has written the first view itself
 */
export async function startPage<State extends PageState>(
  view: (state: State, texts: Texts) => ComponentChild,
  how: 'render' | 'hydrate',
): Promise<void> {
  switchTheme();
  const state = JSON.parse(found('state').textContent) as State;
  const { default: texts } = (await import(/* @vite-ignore */ state.texts)) as { default: Texts };
  const page = found('page');
  const whole = <TextsContext.Provider value={texts}>{view(state, texts)}</TextsContext.Provider>;
  if (how === 'hydrate') hydrate(whole, page);
  else {
    page.replaceChildren();
    render(whole, page);
  }
  document.documentElement.dataset['ready'] = '';
}

export function found(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}
