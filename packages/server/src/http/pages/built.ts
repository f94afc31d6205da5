import { readdirSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { type StaticFile, staticFile } from '../static-file.ts';

/* The output of `npm run build` for `web/`: read once and whole, so that pages and files of one build belong together. */

const FOLDER = new URL('../../../assets/web/', import.meta.url);

const words = <Names extends string>(...names: Names[]) =>
  z.object(Object.fromEntries(names.map((name) => [name, z.string()])) as Record<Names, z.ZodString>);

/** The parts of a language that the server writes into pages itself. */
const textsSchema = z.object({
  tag: z.string(),
  name: z.string(),
  page: words(
    'language',
    'theme',
    'themeSystem',
    'themeLight',
    'themeDark',
    'skip',
    'needsScript',
    'loading',
    'logOut',
    'devices',
    'administration',
  ),
  login: words(
    'title',
    'email',
    'password',
    'submit',
    'missing',
    'wrong',
    'tooMany',
    'crowded',
    'foreign',
    'failed',
  ),
  ended: z.record(z.string(), z.string()),
  logout: words('title', 'question', 'submit', 'stay', 'notYet', 'out'),
});
export type PageTexts = z.output<typeof textsSchema>;

const filesSchema = z.object({
  script: z.string(),
  modules: z.array(z.string()),
  styles: z.array(z.string()),
});
const builtSchema = z.object({
  pages: z.record(z.string(), filesSchema),
  page: filesSchema,
  icon: z.string(),
  /** Files whose names do not change with their content. */
  stable: z.array(z.string()),
  slices: z.record(z.string(), z.string()),
  languages: z.record(z.string(), z.object({ texts: textsSchema, files: z.record(z.string(), z.string()) })),
});

export interface Built extends z.output<typeof builtSchema> {
  /** By name, without any folder. */
  content: ReadonlyMap<string, StaticFile>;
}

const TYPES: Record<string, string> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};
const CODINGS = [
  ['br', 'br'],
  ['gzip', 'gz'],
] as const;
/** The build's own description, which is not served: its type is missing above. */
const DESCRIPTION = 'pages.json';

/**
 * Reads the built pages; null when they were not built.
 * @throws Error for a broken build
 */
export function readBuilt(folder: URL = FOLDER): Built | null {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    // Installed without the assets.
    return null;
  }
  const read = (name: string): Uint8Array<ArrayBuffer> => new Uint8Array(readFileSync(new URL(name, folder)));
  const described = builtSchema.parse(JSON.parse(Buffer.from(read(DESCRIPTION)).toString('utf8')));
  const content = new Map<string, StaticFile>();
  for (const name of names) {
    const type = TYPES[name.slice(name.lastIndexOf('.') + 1)];
    if (type === undefined) continue;
    const coded = CODINGS.filter(([, ending]) => names.includes(`${name}.${ending}`)).map(
      ([coding, ending]) => [coding, read(`${name}.${ending}`)] as const,
    );
    content.set(name, staticFile(type, read(name), new Map(coded), !described.stable.includes(name)));
  }
  return { ...described, content };
}
