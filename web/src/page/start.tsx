import { type ComponentChild, hydrate, render } from 'preact';
import { type Texts, TextsContext } from '../text/texts.ts';
import { found } from './found.ts';
import { switchTheme } from './theme.ts';

/** The server's data for the page's script. */
export interface PageState {
  /** The module of the language's texts, which the server has preloaded. */
  texts: string;
}

/**
 * Starts a page: reads the server's data, loads the texts, and renders into `#page`.
 * @param how 'hydrate' when the server has rendered the first view itself
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
