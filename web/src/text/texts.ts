import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Language } from '../../languages/language.ts';

/** The texts of users' pages. The administration has all texts of a language. */
export type Texts = Language;

export const TextsContext = createContext<Texts | null>(null);

/** The texts in the language of the page. */
export function useTexts(): Texts {
  const texts = useContext(TextsContext);
  if (!texts) throw new Error('there is no TextsContext around this component');
  return texts;
}
