/** The texts of all languages, inserted by the build. */
declare module 'virtual:texts' {
  import type { Language } from '../../languages/language.ts';
  export const TEXTS: Record<string, Language>;
}
