import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freshData } from '../packages/server/test/services/embedded-data.ts';
import { freshDatabase, hasPostgres } from '../packages/server/test/services/fresh-database.ts';
import { requireService } from '../packages/server/test/services/require.ts';
import { freePort } from '../packages/server/test/services/ports.ts';
import { compileCache, makeScratch } from '../packages/server/test/services/scratch.ts';
import { compare, runBlocks, type ShellBlock, shellBlocks } from './docs/shell-blocks.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const main = join(root, 'packages/server/src/main.ts');
const NODE = [process.execPath, '--conditions=curfew-source', main] as const;
const SERVICE_KEY = 'svc_of_the_guides_0123456789abcdefghijklmn';

const hasCurl = spawnSync('curl', ['--version']).status === 0 ? true : undefined;
const canRun = requireService('curl', hasCurl, 'the pages are not tried out; install it') === true;

const pages = ['README.md', ...readdirSync(join(root, 'docs/guides')).map((name) => `docs/guides/${name}`)];
const runnable = pages
  .map((page): [string, ShellBlock[]] => [page, shellBlocks(read(page))])
  .filter(([, blocks]) => blocks.length > 0);

/** In a checkout `curfew` is `npm run curfew --`. The test leaves npm out, which would only cost time. */
const prelude = `curfew() { ${NODE.map((part) => `'${part}'`).join(' ')} "$@"; }`;

describe.skipIf(!canRun)('what the pages tell to do', () => {
  let server: ChildProcess;
  let environment: Record<string, string | undefined>;
  let port: number;

  beforeAll(async () => {
    port = await freePort();
    environment = {
      PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
      CURFEW_DATA: freshData('guides'),
      ...compileCache(),
      PORT: String(port),
    };
    server = spawn(NODE[0], [...NODE.slice(1), 'serve'], {
      env: { ...environment, CURFEW_SERVICE_KEYS: SERVICE_KEY },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise<void>((ready, fail) => {
      server.once('exit', (code) => fail(new Error(`the server ended with ${code}`)));
      createInterface({ input: server.stdout as NodeJS.ReadableStream }).on('line', (line) => {
        if (line.includes('"msg":"listening"')) ready();
      });
    });
  }, 120_000);
  afterAll(() => {
    server?.kill('SIGKILL');
  });

  const tryOut = async (blocks: ShellBlock[], env: Record<string, string | undefined>): Promise<void> => {
    const here = blocks.map((block) => ({
      ...block,
      script: block.script.replaceAll('localhost:8000', `localhost:${port}`),
    }));
    const printed = await runBlocks(here, { cwd: makeScratch('guide'), env, prelude });
    here.forEach((block, i) => expect(compare(block, printed[i] ?? '')).toBeNull());
  };

  test.each(runnable)('%s', { timeout: 240_000 }, async (_page, blocks) => {
    const plain = blocks.filter(({ needs }) => needs === '');
    await tryOut(plain, { ...environment, SERVICE_KEY });
    const onPostgres = blocks.filter(({ needs }) => needs === 'postgres');
    expect(plain.length + onPostgres.length).toBe(blocks.length);
    if (onPostgres.length > 0 && hasPostgres())
      await tryOut(onPostgres, { ...environment, DATABASE_URL: await freshDatabase(), SERVICE_KEY });
  });
});

describe('the comparison', () => {
  const block = (kind: 'json' | 'text', text: string): ShellBlock => ({
    line: 1,
    needs: '',
    script: '',
    prints: { kind, text },
  });
  test.each<[string, ShellBlock, string, boolean]>([
    ['other values', block('json', '{"a":1,"b":["x"]}'), '{"a":2,"b":["y","z"]}', true],
    ['a missing key', block('json', '{"a":1,"b":2}'), '{"a":1}', false],
    ['another kind', block('json', '{"a":1}'), '{"a":"1"}', false],
    ['another truth', block('json', '{"a":true}'), '{"a":false}', false],
    ['no JSON', block('json', '{"a":1}'), 'oops', false],
    ['other numbers', block('text', 'HTTP/1.1 200 OK'), 'HTTP/1.1 401 OK\r\n', true],
    ['a number without its fraction', block('text', 'after 12.34 ms.'), 'after 10 ms.', true],
    ['an ellipsis', block('text', 'sid … end'), 'sid 0a-1b end', true],
    ['other words', block('text', 'HTTP/1.1 200 OK'), 'HTTP/1.1 401 Unauthorized', false],
    ['more lines', block('text', 'a'), 'a\nb', false],
  ])('judges %s', (_, said, printed, same) => {
    expect(compare(said, printed) === null).toBe(same);
  });

  test('a block that fails is a failure', async () => {
    const blocks = shellBlocks('```sh run\necho one\n```\n\n```text\none\n```\n\n```sh run\nfalse\n```\n');
    expect(blocks.map(({ line }) => line)).toEqual([1, 9]);
    await expect(runBlocks(blocks, { cwd: root, env: process.env, prelude: '' })).rejects.toThrow('line 9');
  });
});

/** The pages of the repository. */
const documents = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
  ...readdirSync(join(root, 'packages')).map((name) => join('packages', name, 'README.md')),
  'bench/README.md',
];

/** The anchors of a page's headings, as GitHub names them. */
const anchorsOf = (page: string): string[] =>
  [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );

test('every link to a file or heading of the repository leads to one', () => {
  const broken = documents.flatMap((path) =>
    [...read(path).matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)/g)]
      .map(([, file, anchor]): [string, string | undefined] => [
        file ? relative(root, join(root, dirname(path), file)) : path,
        anchor,
      ])
      .filter(
        ([target, anchor]) =>
          !existsSync(join(root, target)) ||
          (anchor !== undefined && target.endsWith('.md') && !anchorsOf(read(target)).includes(anchor)),
      )
      .map(([target, anchor]) => `${path}: ${target}${anchor ? `#${anchor}` : ''}`),
  );
  expect(broken).toEqual([]);
});

test('every source file that a page names exists', () => {
  const places = ['', 'packages', 'packages/server', 'packages/server/src', 'packages/server/test'];
  const missing = documents
    .filter((path) => path !== 'CHANGELOG.md')
    .flatMap((path) =>
      [...read(path).matchAll(/`([\w.-]+(?:\/[\w.-]+)+\.(?:tsx?|mjs|sql|md))`/g)]
        .map(([, file]) => file as string)
        .filter((file) => ![dirname(path), ...places].some((place) => existsSync(join(root, place, file))))
        .map((file) => `${path}: ${file}`),
    );
  expect(missing).toEqual([]);
});

test('every log line, message and metric that the operator looks for is one that the code writes', () => {
  const sources = ['packages/server/src', 'packages/protocol/src'].flatMap((directory) =>
    readdirSync(join(root, directory), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => read(join(directory, name))),
  );
  const guide = read('docs/guides/operate.md');
  const tables = ['| line | means |', '| message or answer | do |'].map((head) => {
    const from = guide.indexOf(head);
    expect(from, head).toBeGreaterThan(0);
    return guide.slice(from, guide.indexOf('\n\n', from));
  });
  const quoted = tables
    .flatMap((table) => table.split('\n').map((row) => row.split('|')[1] ?? ''))
    .flatMap((cell) => [...cell.matchAll(/`([^`]+ [^`]+)`/g)].map(([, message]) => message as string));
  expect(quoted.length).toBeGreaterThan(12);
  const metrics = [...guide.matchAll(/^\| `(curfew_\w+)` \|/gm)].map(([, metric]) => metric as string);
  expect(metrics.length).toBeGreaterThan(12);
  const pieces = [...metrics, ...quoted].flatMap((message) =>
    message.split(/…|, \d+,/).map((piece) => piece.trim()),
  );
  expect(pieces.filter((piece) => !sources.some((source) => source.includes(piece)))).toEqual([]);
});
