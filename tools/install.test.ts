/**
 * The tarballs of a release, installed by npm into empty projects, imported in every way, and run. They come from a copy of the
 * checkout, built there; their dependencies are those that `npm ci` installed, so the test needs no network.
 */
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findNode20 } from '../packages/server/test/services/node-20.ts';
import { freePort } from '../packages/server/test/services/ports.ts';
import { makeFileScratch } from '../packages/server/test/services/scratch.ts';
import { APPLICATION } from './install/application.ts';
import { foreignPackages } from './install/foreign-packages.ts';
import { serveInstalled } from './install/registry.ts';
import { copyCheckout } from './mutate/checkout-copy.ts';

const ROOT = join(import.meta.dirname, '..');
const run = promisify(execFile);
const node20 = findNode20();
const NODES = [['this Node', process.execPath] as const, ['Node 20', node20] as const];

let copy: string;
let packed: string;
let registry: Awaited<ReturnType<typeof serveInstalled>>;
beforeAll(async () => {
  copy = copyCheckout(ROOT);
  packed = makeFileScratch('packed');
  // Left by an earlier build, whose sources are gone.
  for (const name of ['client', 'server', 'verifier']) {
    mkdirSync(join(copy, 'packages', name, 'dist'));
    writeFileSync(join(copy, 'packages', name, 'dist/gone.js'), '');
  }
  await npm(copy, 'run', 'build');
  await npm(copy, 'run', 'pack', '--', '--pack-destination', packed);
  registry = await serveInstalled(ROOT);
});
afterAll(async () => {
  await registry?.close();
  if (copy) rmSync(copy, { recursive: true, force: true });
});

/** npm with settings and a cache of its own, independent of this machine's. */
async function npm(cwd: string, ...args: string[]): Promise<string> {
  const settings = Object.entries(process.env).filter(([name]) => !/^(?:npm_|node_env$)/i.test(name));
  const env = {
    ...Object.fromEntries(settings),
    PATH: [join(process.execPath, '..'), process.env['PATH']].join(delimiter),
    npm_config_cache: join(packed, 'cache'),
    npm_config_userconfig: join(packed, 'none'),
    npm_config_globalconfig: join(packed, 'none-either'),
  };
  return (await run('npm', args, { cwd, env, maxBuffer: 2 ** 26 })).stdout;
}

/** An empty project with these packages of the release, and others beside them. @returns its directory */
async function project(ours: readonly string[], others: readonly string[] = []): Promise<string> {
  const directory = makeFileScratch('project');
  writeFileSync(join(directory, 'package.json'), '{ "private": true }');
  const tarballs = ours.map((name) => join(packed, `curfew-${name}-${versionOf(name)}.tgz`));
  const quietly = ['--no-audit', '--no-fund', '--ignore-scripts', '--registry', registry.url];
  await npm(directory, 'install', ...quietly, ...tarballs, ...others);
  return directory;
}

const versionOf = (name: string): string =>
  (
    JSON.parse(readFileSync(join(ROOT, 'packages', name, 'package.json'), 'utf8')) as {
      version: string;
    }
  ).version;

/** The packages in the project, by name. */
function packagesIn(directory: string): string[] {
  const modules = join(directory, 'node_modules');
  return readdirSync(modules)
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) =>
      name.startsWith('@') ? readdirSync(join(modules, name)).map((one) => `${name}/${one}`) : [name],
    );
}

/** Runs a program in the project. @returns what it prints */
async function start(directory: string, file: string, source: string, node: string): Promise<string> {
  writeFileSync(join(directory, file), source);
  const { stdout, stderr } = await run(node, [file], { cwd: directory, env: { PATH: process.env['PATH'] } });
  return stdout + stderr;
}

/** The faults that the compiler finds, strictly and in the declarations of the packages too. */
async function typeFaults(
  directory: string,
  file: string,
  source: string,
  options: Record<string, unknown>,
): Promise<string> {
  writeFileSync(join(directory, file), source);
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    noEmit: true,
    target: 'es2022',
    types: ['node'],
    ...options,
  };
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [file] }));
  const checked = await run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', directory]).catch(
    (error: { stdout: string }) => error,
  );
  return checked.stdout;
}

const TYPES_OF_NODE = '@types/node';
const DOORS = ['', '/express', '/fastify', '/hono', '/fetch'].map((door) => `@curfew/verifier${door}`);
/** Each door's names, by `import` and by `require`. */
const importAll = (doors: string[]): string => `
  Promise.all(${JSON.stringify(doors)}.map((door) => import(door))).then((all) =>
    console.log(JSON.stringify(all.map((one) => Object.keys(one)))));`;
const requireAll = (doors: string[]): string => `
  console.log(JSON.stringify(${JSON.stringify(doors)}.map((door) => Object.keys(require(door)))));`;
const PACKAGE_FILE = `
  console.log(require('@curfew/verifier/package.json').name);`;

/** The content of a tarball. @returns its directory */
function unpack(name: string): string {
  const unpacked = makeFileScratch('unpacked');
  const tarball = join(packed, `curfew-${name}-${versionOf(name)}.tgz`);
  execFileSync('tar', ['-xzf', tarball, '-C', unpacked]);
  return join(unpacked, 'package');
}

test.each(['client', 'server', 'verifier'])(
  'the tarball of %s has the licence, its repository, nothing of an earlier build, and no package of this repository to fetch',
  (name) => {
    const home = unpack(name);
    expect(readFileSync(join(home, 'LICENSE'), 'utf8')).toBe(readFileSync(join(ROOT, 'LICENSE'), 'utf8'));
    const manifest = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as Record<string, object>;
    expect(manifest).toMatchObject({ repository: { directory: `packages/${name}` } });
    expect(Object.keys({ ...manifest['dependencies'] }).filter((one) => one.startsWith('@curfew/'))).toEqual(
      [],
    );
    const built = readdirSync(join(home, 'dist'), { recursive: true, encoding: 'utf8' });
    expect(built).toContain('index.js');
    expect(built.filter((path) => /gone|tsbuildinfo/.test(path))).toEqual([]);
  },
);

describe('what others wrote', () => {
  const shared = ['packages/client/src', 'packages/protocol/src'];

  test('the server names each package that its pages contain, and what it copied, with version, licence and text', () => {
    const home = unpack('server');
    const notices = readFileSync(join(home, 'THIRD-PARTY-NOTICES'), 'utf8');
    const bundled = foreignPackages(ROOT, ['web/src', ...shared]);
    expect(bundled.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['preact', '@preact/signals-core']),
    );
    const swagger = join(ROOT, 'node_modules/swagger-ui-dist');
    const { version } = JSON.parse(readFileSync(join(swagger, 'package.json'), 'utf8')) as {
      version: string;
    };
    for (const one of [
      ...bundled,
      { name: 'swagger-ui-dist', version, license: 'Apache-2.0', directory: swagger },
    ]) {
      const text = readFileSync(join(one.directory, 'LICENSE'), 'utf8').trim();
      expect(notices).toContain(`\n\n${one.name} ${one.version}, ${one.license}\n\n${text}\n`);
    }
    const named = [...notices.matchAll(/^={80}\n\n(\S+) /gm)].map(([, name]) => name);
    const copied = ['@zxcvbn-ts/language-common', 'swagger-ui-dist'];
    expect(named).toEqual([...bundled.map(({ name }) => name), ...copied].toSorted());
    expect(notices).toContain('Dan Wheeler and Dropbox, Inc.');
    // Swagger UI is a bundle itself, and its first line names the file with the licences of its parts.
    const further = 'swagger-ui-bundle.js.LICENSE.txt';
    const theirs = readFileSync(join(swagger, further), 'utf8');
    expect(readFileSync(join(home, 'assets/swagger-ui', further), 'utf8')).toBe(theirs);
    expect(notices).toContain(theirs.trim());
    expect(notices).toMatch(/^It contains parts of these packages: .*\breact, react-/m);
  });

  test.each(['client', 'verifier'])('the %s contains nothing of others, and has no notices', (name) => {
    const home = unpack(name);
    const { dependencies = {} } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as {
      dependencies?: object;
    };
    const imported = foreignPackages(ROOT, [`packages/${name}/src`, 'packages/protocol/src']);
    expect(imported.map((one) => one.name).toSorted()).toEqual(Object.keys(dependencies).toSorted());
    expect(readdirSync(home)).not.toContain('THIRD-PARTY-NOTICES');
  });
});

describe('the verifier alone', () => {
  let home: string;
  beforeAll(async () => {
    home = await project(['verifier'], [TYPES_OF_NODE]);
  });

  test('installs jose and ws, and no framework', () => {
    const added = packagesIn(home).filter((name) => !['@types/node', 'undici-types'].includes(name));
    expect(added.toSorted()).toEqual(['@curfew/verifier', 'jose', 'ws']);
  });

  test.each(NODES)('every door opens on %s, by import and by require', async (_name, node) => {
    if (node === undefined) return;
    const names = [
      ['createVerifier'],
      ['curfew', 'sessionOf'],
      ['curfew', 'sessionOf'],
      ['curfew'],
      ['curfew'],
    ];
    const sorted = (text: string): string[][] =>
      (JSON.parse(text) as string[][]).map((list) =>
        list.filter((name) => !/default|__esModule|module\.exports/.test(name)).toSorted(),
      );
    expect(sorted(await start(home, 'doors.mjs', importAll(DOORS), node))).toEqual(names);
    expect(sorted(await start(home, 'doors.cjs', requireAll(DOORS), node))).toEqual(names);
    expect(await start(home, 'manifest.cjs', PACKAGE_FILE, node)).toBe('@curfew/verifier\n');
  });

  test.each([
    ['node16', 'guarded.mts', { module: 'node16' }],
    ['nodenext', 'guarded.mts', { module: 'nodenext' }],
    ['nodenext, as CommonJS', 'guarded.cts', { module: 'nodenext' }],
    ['bundler', 'guarded.ts', { module: 'esnext', moduleResolution: 'bundler' }],
  ])('its types are right for %s', async (_name, file, options) => {
    const source = `
      import { createServer } from 'node:http';
      import { createVerifier, type Verified } from '@curfew/verifier';
      import { curfew, sessionOf } from '@curfew/verifier/express';
      import { curfew as ofFastify } from '@curfew/verifier/fastify';
      import { curfew as ofHono, type SessionVariables } from '@curfew/verifier/hono';
      import { curfew as ofFetch } from '@curfew/verifier/fetch';
      const verifier = createVerifier({ authority: 'http://localhost:8000', serviceKey: 'x', audience: 'y' });
      const guard = curfew(verifier);
      createServer((req, res) => guard(req, res, () => res.end(sessionOf(req).subject)));
      export const hello = ofFetch(verifier)((_request, session) => new Response(session.sid));
      export const others = [ofFastify(verifier), ofHono(verifier)];
      export const variables = (all: SessionVariables): string => all.session.clientId;
      export const subject = (verified: Verified): string => (verified.ok ? verified.session.subject : verified.reason);
      // @ts-expect-error: a session exists only where the check succeeded
      export const unsure = (verified: Verified): string => verified.session.subject;`;
    expect(await typeFaults(home, file, source, options)).toBe('');
  });
});

describe('the client alone', () => {
  let home: string;
  beforeAll(async () => {
    home = await project(['client']);
  });

  test('installs nothing else, and loads in Node too', async () => {
    expect(packagesIn(home)).toEqual(['@curfew/client']);
    for (const [, node] of NODES)
      if (node !== undefined)
        expect(await start(home, 'doors.cjs', requireAll(['@curfew/client']), node)).toContain(
          'createClient',
        );
  });

  test.each([
    ['node16', 'page.mts', { module: 'node16' }],
    ['nodenext', 'page.mts', { module: 'nodenext' }],
    ['bundler', 'page.ts', { module: 'esnext', moduleResolution: 'bundler' }],
  ])('its types are right in a page for %s', async (_name, file, options) => {
    const source = `
      import { createClient, type Client } from '@curfew/client';
      const curfew: Client = createClient();
      export const start = (): Promise<unknown> => curfew.login({ email: 'a@example.com', password: 'x' });`;
    const inPage = { types: [], lib: ['es2022', 'dom', 'dom.iterable'] };
    expect(await typeFaults(home, file, source, { ...options, ...inPage })).toBe('');
  });
});

describe('the server alone', () => {
  let home: string;
  beforeAll(async () => {
    home = await project(['server'], [TYPES_OF_NODE]);
  });

  test('its command runs', async () => {
    const curfew = join(home, 'node_modules/.bin/curfew');
    const { stdout } = await run(curfew, ['--version'], {
      env: { PATH: [join(process.execPath, '..'), process.env['PATH']].join(delimiter) },
    });
    expect(stdout).toContain(versionOf('server'));
  });

  test.runIf(node20)('on a Node that is too old, command and import say which Node they need', async () => {
    const sentence = /Curfew needs Node 22\.18 or newer; this is 20\.\d+\.\d+\./;
    for (const program of [
      [join(home, 'node_modules/@curfew/server/dist/main.js'), 'serve'],
      [
        '--input-type=module',
        '--eval',
        "import { createAuthority } from '@curfew/server'; await createAuthority();",
      ],
    ]) {
      const failed = await run(node20 as string, program, { cwd: home }).catch(
        (error: { code: number; stderr: string }) => error,
      );
      expect(failed).toMatchObject({ code: 1, stderr: expect.stringMatching(sentence) });
      expect(failed.stderr).not.toMatch(/^\s+at /m);
    }
  });

  test.each([
    ['node16', 'host.mts', { module: 'node16' }],
    ['nodenext', 'host.mts', { module: 'nodenext' }],
    ['nodenext, as CommonJS', 'host.cts', { module: 'nodenext' }],
    ['bundler', 'host.ts', { module: 'esnext', moduleResolution: 'bundler' }],
  ])('its types are right for %s', async (_name, file, options) => {
    const source = `
      import { createServer } from 'node:http';
      import { type Authority, ConfigError, createAuthority } from '@curfew/server';
      export async function host(): Promise<Authority> {
        const authority = await createAuthority({ settings: { PORT: '9000' } });
        createServer({ maxHeaderSize: authority.config.maxHeaderBytes }, authority.listener).on('upgrade', authority.upgrade);
        return authority;
      }
      export const setting = (error: unknown): string | null => (error instanceof ConfigError ? error.setting : null);`;
    expect(await typeFaults(home, file, source, options)).toBe('');
  });
});

describe('all of them beside the frameworks', () => {
  test('a login is checked in a guarded route, and refused once its logout has answered', async () => {
    const home = await project(
      ['verifier', 'client', 'server'],
      ['express', 'fastify', 'hono', '@hono/node-server'],
    );
    const port = await freePort();
    expect(
      JSON.parse(
        await start(home, 'app.mjs', APPLICATION.replaceAll('__PORT__', String(port)), process.execPath),
      ),
    ).toEqual({
      express: [200, 401],
      fastify: [200, 401],
      hono: [200, 401],
      fetch: [200, 401],
    });
  });
});
