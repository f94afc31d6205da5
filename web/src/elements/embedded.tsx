import { type ComponentChild, render } from 'preact';
import { TEXTS } from 'virtual:texts';
import { type Client, createCookieClient } from '../session/client.ts';
import { type Texts, TextsContext } from '../text/texts.ts';
import css from './element.css?inline';

/** Created once; a constructed style sheet is no inline style to a Content-Security-Policy. */
let sheet: CSSStyleSheet | undefined;
function styles(): CSSStyleSheet {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
  }
  return sheet;
}

/** All elements of a page share one client for each authority, and so one login. */
const clients = new Map<string, Client>();
function clientOf(authority: string): Client {
  const client = clients.get(authority) ?? createCookieClient(authority);
  clients.set(authority, client);
  return client;
}

/** The content of an element while it is in a page. */
export interface Shown {
  view: ComponentChild;
  /** Removes its listeners. */
  close(): void;
}

/**
 * An element for other pages: in its own shadow root, in the language of the page around it (`lang`), for the authority in the
 * attribute `authority`, or the page's own origin.
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

  /** Emits an event for the page around. */
  protected tell(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}
