/** The texts of all languages, which the build puts in. */
declare module 'virtual:texts' {
  import type { Language } from '../../languages/language.ts';
  export const TEXTS: Record<string, Language>;
}
