import { type ComponentChild, render } from 'preact';
import { TEXTS } from 'virtual:texts';
import { type Client, createClient } from '../session/client.ts';
import { type Texts, TextsContext } from '../text/texts.ts';
import css from './element.css?inline';

/** Made once; a style sheet of a script's own is no inline style to a Content-Security-Policy. */
let sheet: CSSStyleSheet | undefined;
function styles(): CSSStyleSheet {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
  }
  return sheet;
}

/** All elements of a page share one client for each authority, so that one login is a login for all of them. */
const clients = new Map<string, Client>();
function clientOf(authority: string): Client {
  const client = clients.get(authority) ?? createClient(authority);
  clients.set(authority, client);
  return client;
}

/** What an element shows while it is in a page. */
export interface Shown {
  view: ComponentChild;
  /** Lets go of what it listens to. */
  close(): void;
}

/**
 * An element for pages of others: in a shadow of its own, in the language of the page around it (`lang`), for the authority that
 * the attribute `authority` names, else the page's own origin.
 */
export abstract class Embedded extends HTMLElement {
  static readonly observedAttributes = ['authority', 'lang'];
  #shown: Shown | null = null;

  protected abstract show(client: Client, authority: string): Shown;

  connectedCallback(): void {
    const shadow = this.shadowRoot ?? this.attachShadow({ mode: 'open' });
    shadow.adoptedStyleSheets = [styles()];
    const { origin, pathname } = new URL(this.getAttribute('authority') ?? '/', location.href);
    const authority = (origin + pathname).replace(/\/+$/, '');
    const texts = this.#texts();
    this.#shown = this.show(clientOf(authority), authority);
    render(<TextsContext.Provider value={texts}>{this.#shown.view}</TextsContext.Provider>, shadow);
  }

  disconnectedCallback(): void {
    this.#shown?.close();
    this.#shown = null;
    if (this.shadowRoot) render(null, this.shadowRoot);
  }

  attributeChangedCallback(): void {
    if (!this.#shown) return;
    this.disconnectedCallback();
    this.connectedCallback();
  }

  #texts(): Texts {
    const wanted = [this.closest<HTMLElement>('[lang]')?.lang, ...navigator.languages];
    for (const tag of wanted) {
      const texts = TEXTS[tag?.toLowerCase() ?? ''] ?? TEXTS[tag?.toLowerCase().split('-', 1)[0] ?? ''];
      if (texts) return texts;
    }
    return TEXTS['en'] as Texts;
  }

  /** Tells the page around. */
  protected tell(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}
