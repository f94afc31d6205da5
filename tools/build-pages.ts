/**
 * Builds `web/` into `packages/server/assets/web`: scripts and styles with a hash in their names, the texts of each language,
 * `curfew-elements.js`, a compressed copy of each file, and `pages.json`, which lists them for the server.
 */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { InlineConfig, Plugin } from 'vite';
import { inputsPlugin } from './build/notices.ts';
import type { Language } from '../web/languages/language.ts';

const here = join(import.meta.dirname, '..', 'web');
const assets = join(import.meta.dirname, '..', 'packages', 'server', 'assets');
export const BUILT: string = join(assets, 'web');

/** The file that the server reads first: which files belong to which page. */
const DESCRIPTION = 'pages.json';
/** Other websites load it by this name, so the name has no hash. */
const ELEMENTS = 'curfew-elements.js';

/** What the pages are made of, from `web`. */
const SOURCES = ['src', 'languages', 'icon.svg', '../packages/client/src', '../tools/build-pages.ts'];

/** The pages, each with the part of a language that it needs. */
const PAGES: Record<string, Slice> = { login: 'people', devices: 'people', administration: 'administration' };

/** Pages for users do not need the texts of the administration. The administration needs all texts. */
type Slice = 'people' | 'administration';
/** The parts of a language that the server itself writes into pages, so that they work without a script. */
const SERVER_PARTS = ['tag', 'name', 'page', 'login', 'ended', 'logout'] as const;

/** Builds, unless the existing files were built from the very same sources. */
export async function buildStalePages(): Promise<void> {
  const description = join(BUILT, DESCRIPTION);
  if (existsSync(description)) {
    const { sources } = JSON.parse(readFileSync(description, 'utf8')) as { sources?: string };
    if (sources === hashOfSources()) return;
  }
  await buildPages();
}

/** @returns the modules that the pages are made of */
export async function buildPages(): Promise<Set<string>> {
  const { build } = await import('vite');
  const sources = hashOfSources();
  const inputs = new Set<string>();
  await mkdir(assets, { recursive: true });
  // Builds elsewhere and puts all files in place at once: a server that starts meanwhile sees the old pages or the new ones.
  const fresh = mkdtempSync(join(assets, '.web-'));
  try {
    const languages = await readLanguages();
    const pages = Object.keys(PAGES).filter((name) => existsSync(pageSource(name)));
    await build(pagesConfig(fresh, inputs, pages));
    await build(elementsConfig(fresh, inputs, languages));
    writeManifest(fresh, sources, pages, languages);
    rmSync(join(fresh, '.vite'), { recursive: true });
    compress(fresh);
    // Only its owner can read a temporary directory, but in an image the server runs as another user.
    chmodSync(fresh, 0o755);
    const old = `${fresh}-old`;
    if (existsSync(BUILT)) renameSync(BUILT, old);
    renameSync(fresh, BUILT);
    rmSync(old, { recursive: true, force: true });
    return inputs;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

const pageSource = (name: string): string => join(here, 'src', 'pages', `${name}.tsx`);

async function readLanguages(): Promise<Record<string, Language>> {
  const found: Record<string, Language> = {};
  for (const file of readdirSync(join(here, 'languages')).sort()) {
    const name = file.replace(/\.ts$/, '');
    if (name === 'language' || name === file) continue;
    found[name] = (
      (await import(new URL(`../web/languages/${file}`, import.meta.url).href)) as Record<string, Language>
    )[name] as Language;
  }
  return found;
}

function common(out: string, inputs: Set<string>): InlineConfig & { plugins: Plugin[] } {
  return {
    root: here,
    // Beside each other, under whatever path the authority is.
    base: './',
    configFile: false,
    logLevel: 'warn',
    plugins: [inputsPlugin(inputs)],
    publicDir: false,
    resolve: { conditions: ['curfew-source', 'module', 'browser', 'production'] },
    build: {
      outDir: out,
      target: 'es2023',
      // The browsers that have light-dark(). Rewritten for older ones, it would need a color-scheme, which an element does not have.
      cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
      modulePreload: false,
      assetsInlineLimit: 0,
      reportCompressedSize: false,
    },
  };
}

function pagesConfig(out: string, inputs: Set<string>, pages: string[]): InlineConfig {
  const config = common(out, inputs);
  return {
    ...config,
    build: {
      ...config.build,
      emptyOutDir: true,
      manifest: true,
      rolldownOptions: {
        input: {
          ...Object.fromEntries(pages.map((name) => [name, pageSource(name)])),
          page: join(here, 'src/pages/page.ts'),
        },
        output: {
          entryFileNames: '[name]-[hash].js',
          chunkFileNames: '[name]-[hash].js',
          assetFileNames: '[name]-[hash][extname]',
        },
      },
    },
  };
}

/** One module for other websites, with everything in it. Its name does not change, so it is not cached for good. */
function elementsConfig(out: string, inputs: Set<string>, languages: Record<string, Language>): InlineConfig {
  const config = common(out, inputs);
  return {
    ...config,
    plugins: [...config.plugins, textsPlugin(languages)],
    build: {
      ...config.build,
      emptyOutDir: false,
      rolldownOptions: {
        input: join(here, 'src/elements/curfew-elements.tsx'),
        output: { entryFileNames: ELEMENTS, codeSplitting: false },
      },
    },
  };
}

/** `virtual:texts`: every language's part for people. */
function textsPlugin(languages: Record<string, Language>): Plugin {
  return {
    name: 'texts',
    resolveId: (id) => (id === 'virtual:texts' ? '\0virtual:texts' : null),
    load: (id) =>
      id === '\0virtual:texts'
        ? `export const TEXTS = ${JSON.stringify(Object.fromEntries(Object.entries(languages).map(([name, texts]) => [name, slice(texts, 'people')])))};`
        : null,
  };
}

function slice(language: Language, part: Slice): Partial<Language> {
  if (part === 'administration') return language;
  const { administration: _, ...people } = language as Language & { administration?: unknown };
  return people;
}

function hashOfSources(): string {
  const hash = createHash('sha256');
  const take = (path: string): void => {
    if (statSync(path).isDirectory()) for (const name of readdirSync(path).sort()) take(join(path, name));
    else hash.update(path).update(readFileSync(path));
  };
  for (const path of SOURCES) take(join(here, path));
  return hash.digest('base64url');
}

interface ManifestChunk {
  file: string;
  css?: string[];
  imports?: string[];
}

function writeManifest(
  out: string,
  sources: string,
  pages: string[],
  languages: Record<string, Language>,
): void {
  const manifest = JSON.parse(readFileSync(join(out, '.vite', 'manifest.json'), 'utf8')) as Record<
    string,
    ManifestChunk
  >;
  const chunkOf = (key: string): ManifestChunk => {
    const chunk = manifest[key];
    if (!chunk) throw new Error(`the build has no ${key}`);
    return chunk;
  };
  const withImports = (key: string, seen = new Set<string>()): Set<string> => {
    if (seen.has(key)) return seen;
    seen.add(key);
    for (const one of chunkOf(key).imports ?? []) withImports(one, seen);
    return seen;
  };
  const filesOf = (key: string): { script: string; modules: string[]; styles: string[] } => {
    const chunks = [...withImports(key)].map(chunkOf);
    const [own, ...imported] = chunks;
    return {
      script: own?.file ?? '',
      modules: imported.map((chunk) => chunk.file),
      styles: [...new Set(chunks.flatMap((chunk) => chunk.css ?? []))],
    };
  };
  const described = {
    sources,
    pages: Object.fromEntries(pages.map((name) => [name, filesOf(`src/pages/${name}.tsx`)])),
    page: filesOf('src/pages/page.ts'),
    icon: hashed(out, 'icon', 'svg', readFileSync(join(here, 'icon.svg'))),
    languages: Object.fromEntries(
      Object.entries(languages).map(([name, texts]) => [
        name,
        {
          texts: Object.fromEntries(SERVER_PARTS.map((part) => [part, texts[part]])),
          files: Object.fromEntries(
            [...new Set(pages.map((page) => PAGES[page] as Slice))].map((part) => [
              part,
              hashed(out, `${name}-${part}`, 'js', `export default ${JSON.stringify(slice(texts, part))};`),
            ]),
          ),
        },
      ]),
    ),
    slices: PAGES,
    stable: [ELEMENTS],
  };
  writeFileSync(join(out, DESCRIPTION), JSON.stringify(described));
}

/** Writes a file with its hash in its name. @returns the name */
function hashed(out: string, name: string, ending: string, content: string | Buffer): string {
  const hash = createHash('sha256').update(content).digest('base64url').slice(0, 8);
  const file = `${name}-${hash}.${ending}`;
  writeFileSync(join(out, file), content);
  return file;
}

function compress(out: string): void {
  for (const file of readdirSync(out).filter((name) => name !== DESCRIPTION)) {
    const content = readFileSync(join(out, file));
    writeFileSync(join(out, `${file}.gz`), gzipSync(content, { level: 9 }));
    writeFileSync(
      join(out, `${file}.br`),
      brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
    );
  }
}
