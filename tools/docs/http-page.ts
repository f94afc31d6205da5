import { type Problem, PROBLEMS, problem } from '@curfew/protocol/errors';

/** The parts of an OpenAPI description that this reads. */
export interface Description {
  tags: { name: string; description?: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

interface Operation {
  tags: string[];
  summary: string;
  description?: string;
  security?: Record<string, unknown>[];
  parameters?: { name: string; in: string; required?: boolean; schema: Schema }[];
  requestBody?: { required?: boolean; content: Record<string, { schema: Schema; example?: unknown }> };
  responses: Record<string, Answer>;
}

interface Answer {
  description: string;
  headers?: Record<string, { schema: Schema }>;
  content?: Record<string, { example?: unknown; examples?: Record<string, { value: unknown }> }>;
}

interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  oneOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  default?: unknown;
  description?: string;
  format?: string;
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
}

const CALLERS: Record<string, string> = {
  bearer: 'an access or session token',
  cookie: 'the session cookie (with `X-CSRF-Token` to change something)',
  service: 'a service key',
};
const PROBLEM = 'application/problem+json';

/** `docs/http.md`, from the OpenAPI description that the server gives of itself. */
export function httpPage(description: Description): string {
  const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      operation,
    })),
  );
  const schemas = description.components.schemas;
  const sections = description.tags.map((tag) => {
    // A path that two contracts share is in the section of the first.
    const mine = operations.filter(({ operation }) => operation.tags[0] === tag.name);
    const elsewhere = operations.filter(({ operation }) => operation.tags.slice(1).includes(tag.name));
    return [
      `## ${tag.name}`,
      '',
      ...(tag.description === undefined ? [] : [tag.description, '']),
      ...mine.map(({ name, operation }) => operationText(name, operation, schemas)),
      ...(elsewhere.length === 0
        ? []
        : [
            `Shared with another family, where they stand: ${elsewhere.map(({ name }) => `[\`${name}\`](#${anchor(name)})`).join(', ')}.`,
            '',
          ]),
    ].join('\n');
  });
  return [
    '# HTTP',
    '',
    '<!-- Written by `npm run docs` from the rows in packages/server/src/http. -->',
    '',
    'Every call, who may make it, what it takes and what it answers. The same as OpenAPI 3.1: `GET /openapi.json`, and',
    'as a page to try it in: `GET /docs`. Instants are ISO 8601 in UTC, positions and ids of users are JSON numbers.',
    '',
    'Every answer carries `Cache-Control: no-store`, but for the public keys, and `X-Request-Id`, which the log has too;',
    'a check that memory answers is neither numbered nor logged.',
    'The logouts of the four contracts, whose bodies may not change, say in the header `Curfew-Propagation` what',
    '`/v1/logout` says in its body: `confirmed=?1, ms=1.9, acknowledged=2, waited-out=0`.',
    '',
    '## Problems',
    '',
    "The product's own API answers what went wrong as problem details (RFC 9457), with a `code` from this closed list.",
    '`field` names the input at fault, `count` a number to confirm, and `detail` says more where there is more.',
    '',
    '| status | `code` | `title` |',
    '| --- | --- | --- |',
    ...Object.entries(PROBLEMS).map(([code, { status, title }]) => `| ${status} | \`${code}\` | ${title} |`),
    '',
    '```json',
    JSON.stringify(problem('invalid_request', { detail: 'email: is required', field: 'email' }), null, 2),
    '```',
    '',
    ...sections,
  ].join('\n');
}

function problemsOf(operation: Operation): Problem[] {
  return Object.values(operation.responses).flatMap((answer) =>
    Object.values(answer.content?.[PROBLEM]?.examples ?? {}).map(({ value }) => value as Problem),
  );
}

/** The anchor that GitHub gives a heading. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');

function operationText(name: string, operation: Operation, schemas: Record<string, Schema>): string {
  const { summary, description, security, parameters = [], requestBody, responses } = operation;
  const who = security?.flatMap((one) => Object.keys(one)).map((scheme) => CALLERS[scheme] ?? scheme);
  const lines = [
    `### \`${name}\``,
    '',
    description === undefined ? `${summary}.` : `${summary}. ${description}`,
    '',
  ];
  const whose = who && who.length === 3 ? 'for an administrator, ' : '';
  lines.push(`Who may call: ${who === undefined ? 'anyone' : whose + who.join(', or ')}.`, '');
  const body = requestBody?.content['application/json'];
  const fields = [
    ...parameters.map((one) => fieldRow(one.name, `${one.in}: `, one.schema, one.required === true, schemas)),
    ...(body ? bodyRows(body.schema, schemas) : []),
  ];
  if (fields.length > 0) lines.push('| input | form | |', '| --- | --- | --- |', ...fields, '');
  if (body)
    lines.push(
      requestBody?.required === true ? 'Body:' : 'Body, which may be left out:',
      '',
      fenced(body.example),
      '',
    );
  const codes = problemsOf(operation);
  for (const [status, answer] of Object.entries(responses))
    if (!answer.content?.[PROBLEM]) lines.push(...answerText(status, answer), '');
  if (codes.length > 0)
    lines.push(`Problems: ${codes.map(({ status, code }) => `${status} \`${code}\``).join(', ')}.`, '');
  return lines.join('\n');
}

function answerText(status: string, answer: Answer): string[] {
  const headers = Object.entries(answer.headers ?? {}).map(
    ([name, { schema }]) =>
      `\`${name}\`${schema.description === undefined ? '' : ` (${schema.description.replace(/\.$/, '')})`}`,
  );
  const lines = [
    `**${status}** ${answer.description}${headers.length > 0 ? ` Headers: ${headers.join(', ')}.` : ''}`,
  ];
  for (const [type, { example, examples }] of Object.entries(answer.content ?? {})) {
    const bodies = examples ? Object.values(examples).map(({ value }) => value) : [example];
    for (const value of bodies)
      lines.push('', ...(type === 'application/json' ? [] : [`As \`${type}\`:`, '']), fenced(value));
  }
  return lines;
}

/** An example, on one line if it is short. */
function fenced(value: unknown): string {
  if (typeof value === 'string') return `\`\`\`text\n${value.trimEnd()}\n\`\`\``;
  const line = JSON.stringify(value);
  return `\`\`\`json\n${line.length <= 110 ? line : JSON.stringify(value, null, 2)}\n\`\`\``;
}

function resolve(schema: Schema, schemas: Record<string, Schema>): Schema {
  const name = schema.$ref?.split('/').at(-1);
  return name === undefined
    ? schema
    : { ...schemas[name], ...(schema.description ? { description: schema.description } : {}) };
}

function bodyRows(schema: Schema, schemas: Record<string, Schema>): string[] {
  const { oneOf, properties = {}, required = [] } = resolve(schema, schemas);
  if (oneOf)
    return oneOf.flatMap((one) => {
      const { properties: mine = {} } = resolve(one, schemas);
      const [key = '', fixed] = Object.entries(mine).find(([, field]) => field.enum?.length === 1) ?? [];
      const rest = Object.entries(mine).filter(([name]) => name !== key);
      const names = rest.map(([name, field]) => {
        const optional = one.required?.includes(name) === true ? '' : '?';
        return `\`${name}${optional}\` ${formOf(resolve(field, schemas), schemas)}`;
      });
      const optional = one.required?.includes(key) === true ? '' : '?';
      return [
        `| \`${key}${optional}\` | \`${JSON.stringify(fixed?.enum?.[0])}\` | with ${names.join('; ')} |`,
      ];
    });
  return Object.entries(properties).map(([name, field]) =>
    fieldRow(name, '', field, required.includes(name), schemas),
  );
}

function fieldRow(
  name: string,
  where: string,
  schema: Schema,
  required: boolean,
  schemas: Record<string, Schema>,
): string {
  const field = resolve(schema, schemas);
  const standard = field.default === undefined ? '' : ` Default \`${JSON.stringify(field.default)}\`.`;
  const about = `${field.description ?? ''}${standard}`.trim();
  return `| \`${name}${required ? '' : '?'}\` | ${where}${formOf(field, schemas)} | ${about.replaceAll('|', '\\|')} |`;
}

function formOf(schema: Schema, schemas: Record<string, Schema>): string {
  if (schema.enum) return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(', ');
  const type = [schema.type].flat().filter((one) => one !== 'null')[0];
  if (type === 'array') {
    const items = schema.items ? formOf(resolve(schema.items, schemas), schemas) : 'anything';
    return `list of ${between(schema.minItems, schema.maxItems, '')}${items}`;
  }
  if (type === 'object') {
    const names = Object.entries(schema.properties ?? {}).map(([name, field]) => {
      const optional = schema.required?.includes(name) === true ? '' : '?';
      return `\`${name}${optional}\` ${formOf(resolve(field, schemas), schemas)}`;
    });
    return `object: ${names.join(', ')}`;
  }
  if (type === 'string') {
    const length = between(schema.minLength, schema.maxLength, 'characters');
    return schema.format ?? (length === '' ? 'text' : `text, ${length}`);
  }
  if (type === 'integer') {
    const least =
      schema.minimum ?? (schema.exclusiveMinimum === undefined ? undefined : schema.exclusiveMinimum + 1);
    const most = schema.maximum === Number.MAX_SAFE_INTEGER ? undefined : schema.maximum;
    if (least !== undefined && most !== undefined) return `whole number, ${least} to ${most}`;
    return least === undefined ? 'whole number' : `whole number from ${least}`;
  }
  return type ?? 'anything';
}

function between(least: number | undefined, most: number | undefined, of: string): string {
  if (most === undefined) return '';
  return least === undefined ? `at most ${most} ${of}` : `${least} to ${most} ${of}`;
}
