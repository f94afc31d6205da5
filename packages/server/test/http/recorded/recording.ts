/** Answers as text, with names for the values of each run, so that two runs can be compared byte for byte. */
import type { AnyJson, Answer, Caller, CallOptions } from '../../support.ts';

/** Asks, and records the exchange. @param who a label that names the exchange within its section */
type Ask = <T = AnyJson>(
  who: string,
  method: string,
  path: string,
  options?: CallOptions,
) => Promise<Answer<T>>;

/**
 * The values that each run makes anew, by name. The first matching pattern counts. Times are not among them: the test's clock is
 * the same in every run.
 */
const OWN: [name: string, pattern: RegExp][] = [
  ['jwt', /\beyJ[\w-]+\.[\w-]+\.[\w-]+/],
  ['api-key', /\bcurfew_[co]k_[0-9A-Za-z]{38}\b/],
  ['refresh', /\brt_[\w-]{43}(?![\w-])/],
  ['session-token', /\bsess_[\w-]{43}(?![\w-])/],
  ['cookie', /\bcs_[\w-]{43}(?![\w-])/],
  ['opaque', /\b\d+(?:\||%7C)[\w-]{43}(?![\w-])/],
  ['uuid', /\b[\da-fA-F]{8}-(?:[\da-fA-F]{4}-){3}[\da-fA-F]{12}\b/],
  ['request', /\b[\da-f]{8}-[\da-z]{1,4}(?![\w-])/],
  ['secret', /(?<![\w-])[\w-]{43}(?![\w-])/],
  ['password', /(?<="password":")[\w-]{20}(?=")/],
  ['position', /\b1\d{15}(?!\d)/],
  ['epoch', /\b\d+\.[\da-f]{12}\b/],
  ['etag', /(?<=(?:etag|if-none-match): ")[\w-]{22}(?=")/],
];
const ANY_OWN = new RegExp(
  OWN.map(([name, { source }]) => `(?<${name.replace('-', '_')}>${source})`).join('|'),
  'g',
);

/** The files of the pages carry a hash of their content in their names. */
const BUILT = /\/pages\/([\w-]+?)-[\w-]{8}\.(js|css|svg)/g;

/** Gives names to values in the order of their first appearance; equal values have equal names. */
class Names {
  readonly #known = new Map<string, string>();
  readonly #counts = new Map<string, number>();
  section = '';
  #jwtHeader = '';

  replaceIn(text: string): string {
    return text.replace(ANY_OWN, (value, ...more) => {
      const groups = more.at(-1) as Record<string, string | undefined>;
      const kind = Object.keys(groups).find((name) => groups[name] !== undefined) as string;
      return this.#nameOf(value, kind.replace('_', '-'));
    });
  }

  #nameOf(value: string, kind: string): string {
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const counted = `${kind} ${this.section}`;
    const count = (this.#counts.get(counted) ?? 0) + 1;
    this.#counts.set(counted, count);
    const name = `‹${counted} ${count}›`;
    this.#known.set(value, name);
    // Its body is written once; its header where it differs from the one before.
    return kind === 'jwt' ? `${name.slice(0, -1)} = ${this.#claimsOf(value)}›` : name;
  }

  #claimsOf(jwt: string): string {
    const [header = '', claims = ''] = jwt
      .split('.', 2)
      .map((part) => this.replaceIn(Buffer.from(part, 'base64url').toString('utf8')).replaceAll('"', "'"))
      // Sessions that one request opens together draw their positions in any order.
      .map((part) => part.replace(/(?<='born':)\d+/, (position) => this.#nameOf(`born ${position}`, 'born')));
    const said = header === this.#jwtHeader ? claims : `${header} ${claims}`;
    this.#jwtHeader = header;
    return said;
  }
}

const LONG_LINE = 160;

/** An exchange as text: the caller, the request and the answer. */
export interface Exchange {
  title: string;
  request: string[];
  status: string;
  headers: [name: string, value: string][];
  body: string[];
}

export interface Recorder {
  ask: Ask;
  /** Requests outside the recording: sessions and users to ask with. */
  quietly: Caller;
  begin: (section: string) => void;
  /** Adds an exchange that was had otherwise. */
  add: (exchange: Exchange) => void;
  text: () => string;
}

/** @param answered hears of each exchange once it is recorded */
export function record(call: Caller, answered: () => void): Recorder {
  const names = new Names();
  const blocks = new Map<string, string>();
  const longBodies = new Map<string, string>();
  let standard: ReadonlyMap<string, string> | undefined;
  const put = (title: string, lines: string[]): string => {
    const named = title.startsWith(names.section) ? title : `${names.section}: ${title}`;
    let whole = `=== ${named}`;
    for (let again = 2; blocks.has(whole); again++) whole = `=== ${named} (${again})`;
    blocks.set(whole, lines.join('\n'));
    return whole;
  };
  /** Common headers are written once; then those with another value, and missing ones. */
  const headerLines = (headers: Exchange['headers']): string[] => {
    const told = new Map<string, string>();
    for (const [name, value] of headers) {
      const shown = name === 'x-request-id' && ONE_OF_OURS.test(value) ? '‹one of ours›' : value;
      told.set(name, told.has(name) ? `${told.get(name)}\n${name}: ${shown}` : `${name}: ${shown}`);
    }
    if (!standard) {
      standard = told;
      put('every answer has these headers, where nothing else is said', [...told.values()]);
    }
    const usual = standard;
    return [
      ...[...usual.keys()].filter((name) => !told.has(name)).map((name) => `no ${name}`),
      ...[...told].filter(([name, line]) => usual.get(name) !== line).map(([, line]) => line),
    ];
  };
  const add = ({ title, request, status, headers, body }: Exchange): void => {
    const named = (lines: string[]): string[] => lines.map((line) => names.replaceIn(line));
    const top = [...named(request), status, ...named(headerLines(headers))];
    const whole = named(body).join('\n');
    const before = longBodies.get(whole);
    const at = put(title, [
      ...top,
      ...(before === undefined ? [whole] : [`‹the same body as of ${before}›`]),
    ]);
    if (whole.length > 2 * LONG_LINE && before === undefined) longBodies.set(whole, at.slice(4));
    answered();
  };
  return {
    // From another address, because the recorded one may be rate-limited.
    quietly: (method, path, options) => call(method, path, { address: '203.0.113.9', ...options }),
    begin: (section) => {
      names.section = section;
    },
    add,
    ask: async (who, method, path, options = {}) => {
      const answer = await call(method, path, options);
      const claimless = names.replaceIn(path).replace(/(?<=‹jwt[^=]*) = [^›]*/g, '');
      add({
        title: `${method} ${shortened(claimless)} · ${who}`,
        request: requestLines(options),
        status: String(answer.status),
        headers: [...answer.headers],
        body: bodyLines(path, answer),
      });
      return answer as Answer<AnyJson>;
    },
    text: () => [...blocks].map(([title, lines]) => `${title}\n${lines.trimEnd()}\n`).join('\n'),
  };
}

const ONE_OF_OURS = /^[\da-f]{8}-[\da-z]+$/;
const shortened = (text: string): string =>
  text.length > 1000 ? `${text.slice(0, 60)}… (${text.length} characters)` : text;

function requestLines({ body, bearer, cookie, csrf, headers = {}, address }: CallOptions): string[] {
  const lines = Object.entries(headers).map(([name, value]) => `> ${name}: ${value}`);
  if (bearer !== undefined) lines.push(`> bearer ${bearer}`);
  if (cookie !== undefined) lines.push(`> cookie ${cookie}`);
  if (csrf !== undefined) lines.push(`> csrf ${csrf}`);
  if (address !== undefined) lines.push(`> from ${address}`);
  if (body !== undefined) {
    lines.push(`> ${shortened(typeof body === 'string' ? body : JSON.stringify(body))}`);
  }
  return lines.map((line) => line.replaceAll('\r', '\\r').replaceAll('\0', '\\0'));
}

/** The body as it came. JSON is broken into lines where it is long, and only where that can be undone to the byte. */
function bodyLines(path: string, { text, json, headers }: Answer<unknown>): string[] {
  const type = headers.get('content-type') ?? '';
  if (path === '/openapi.json' && json !== undefined) return outlineOf(json as Description);
  if (path === '/v1/admin/state') return shapeOf(json);
  if (type.startsWith('text/plain') && text.startsWith('# HELP'))
    return text
      .split('\n')
      .filter((line) => line.startsWith('# TYPE'))
      .sort();
  if (type.startsWith('text/html')) return htmlLines(text);
  if (type.startsWith('text/css') || type.startsWith('text/javascript') || type.startsWith('image/'))
    return [text.length > 0 ? '‹the file›' : ''];
  if (text.length <= LONG_LINE || JSON.stringify(json) !== text)
    return text === '' ? [] : text.trimEnd().split('\n');
  return JSON.stringify(json, null, 1).split('\n');
}

/** Values by their type and place: they are those of the machine and the database. */
function shapeOf(json: unknown, at = ''): string[] {
  if (json === null || typeof json !== 'object') return [`${at}: ${json === null ? 'null' : typeof json}`];
  if (Array.isArray(json)) return [...new Set(json.flatMap((one) => shapeOf(one, `${at}[]`)))];
  return Object.entries(json).flatMap(([name, value]) => shapeOf(value, at === '' ? name : `${at}.${name}`));
}

/** The script and style files of a page are the build's affair. */
function htmlLines(html: string): string[] {
  return html
    .replaceAll(BUILT, '/pages/$1-‹hash›.$2')
    .replaceAll(/(?:<link rel="modulepreload"[^>]*>\s*)+/g, '<link rel="modulepreload" …>')
    .replaceAll(/(?:<link rel="stylesheet"[^>]*>\s*)+/g, '<link rel="stylesheet" …>')
    .replaceAll(/></g, '>\n<')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

export interface Description {
  paths: Record<string, Record<string, DescribedOperation>>;
}

export interface DescribedOperation {
  security?: Record<string, unknown>[];
  parameters?: { name: string; in: string; required?: boolean }[];
  requestBody?: { required?: boolean; content: Record<string, { example?: unknown }> };
  responses: Record<string, { content?: Record<string, unknown> }>;
}

/** The description's promises; its prose may change. */
function outlineOf({ paths }: Description): string[] {
  return Object.entries(paths)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) =>
        [
          `${method} ${path}`,
          `by ${(operation.security ?? []).map((one) => Object.keys(one).join('+')).join(' or ') || 'anybody'}`,
          `takes ${[...(operation.parameters ?? []).map((one) => one.name), ...Object.keys(operation.requestBody?.content ?? {})].join(', ') || 'nothing'}`,
          `answers ${Object.entries(operation.responses)
            .map(([status, { content }]) => [status, ...Object.keys(content ?? {})].join(' '))
            .join(', ')}`,
        ].join('; '),
      ),
    );
}

/** The exchanges that differ, by line: the recording after -, this run after +. */
export function differences(recorded: string, played: string): string[] {
  const [before, after] = [blocksOf(recorded), blocksOf(played)];
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((title) => {
    const [old, now] = [before.get(title), after.get(title)];
    if (old === undefined) return [`${title}\n  is not in the recording`];
    if (now === undefined) return [`${title}\n  is in the recording, and was not played`];
    if (old === now) return [];
    return [[title, ...changedLines(old.split('\n'), now.split('\n'))].join('\n')];
  });
}

function blocksOf(text: string): Map<string, string> {
  return new Map(
    text
      .split(/^(?==== )/m)
      .filter((block) => block !== '')
      .map((block) => {
        const end = block.indexOf('\n');
        return [block.slice(0, end), block.slice(end + 1).trimEnd()];
      }),
  );
}

/** Between the lines that both begin with and those that both end with. */
function changedLines(old: string[], now: string[]): string[] {
  let from = 0;
  while (from < old.length && from < now.length && old[from] === now[from]) from++;
  let same = 0;
  while (same < old.length - from && same < now.length - from && old.at(-1 - same) === now.at(-1 - same))
    same++;
  return [
    ...old.slice(Math.max(0, from - 1), from).map((line) => `    ${line}`),
    ...old.slice(from, old.length - same).map((line) => `  - ${line}`),
    ...now.slice(from, now.length - same).map((line) => `  + ${line}`),
  ];
}
