/** Finds the small faults that can be put into a source file, such as a person makes. */
import { type ESTree, parseSync } from 'vite';

/** One fault: the text between `start` and `end` is replaced. */
export interface Mutant {
  /** From the repository's root. */
  path: string;
  start: number;
  end: number;
  replacement: string;
  mutator: string;
  /** The beginning of the innermost statement around it: a test that does not execute this statement cannot notice the fault. */
  statement: number;
}

type Edit = readonly [mutator: string, start: number, end: number, replacement: string];
type Node = ESTree.Node;

const OPERATORS: Record<string, readonly string[]> = {
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
  '===': ['!=='],
  '!==': ['==='],
  '+': ['-'],
  '-': ['+'],
  '*': ['/'],
  '/': ['*'],
  '%': ['*'],
  '&': ['|'],
  '|': ['&'],
  '^': ['&'],
  '<<': ['>>'],
  '>>': ['<<'],
  '>>>': ['<<'],
  '+=': ['-='],
  '-=': ['+='],
  '??=': ['='],
  '||=': ['='],
};

const METHODS: Record<string, string> = {
  some: 'every',
  every: 'some',
  min: 'max',
  max: 'min',
  ceil: 'floor',
  floor: 'ceil',
  startsWith: 'endsWith',
  endsWith: 'startsWith',
};

/** Methods whose result can be replaced by what they are called on. */
const STEPS = new Set(
  'filter sort toSorted reverse toReversed slice trim toLowerCase toUpperCase normalize catch'.split(' '),
);

/** The syntax of TypeScript that is executed. All the rest is types. */
const TYPED_VALUES = /^TS(AsExpression|SatisfiesExpression|NonNullExpression|ParameterProperty)$/;

/** All mutants of a source, in the order of its text. */
export function findMutants(path: string, source: string): Mutant[] {
  const found: Mutant[] = [];
  walk(parse(path, source), (node, parent, statement) => {
    for (const [mutator, start, end, replacement] of editsOf(node, parent, source))
      found.push({ path, start, end, replacement, mutator, statement });
  });
  return found.toSorted((a, b) => a.start - b.start || a.end - b.end);
}

export function apply({ start, end, replacement }: Mutant, source: string): string {
  return source.slice(0, start) + replacement + source.slice(end);
}

/** The source with a line of `${path}:${statement}` written into a file when a statement is executed for the first time. */
export function withHits(path: string, source: string, file: string): string {
  const begins = new Set<number>();
  walk(parse(path, source), (_node, _parent, statement) => begins.add(statement));
  let text = source;
  for (const at of [...begins].toSorted((a, b) => b - a))
    text = `${text.slice(0, at)}$hit(${at});${text.slice(at)}`;
  // Also in a browser, where nothing is written, and in processes that the tests start.
  const write = `globalThis.process?.getBuiltinModule?.('node:fs').appendFileSync(${JSON.stringify(file)}, '${path}:' + at + '\\n')`;
  return `const $seen = new Set(); const $hit = (at) => { if ($seen.has(at)) return; $seen.add(at); ${write}; }; ${text}`;
}

function parse(path: string, source: string): Node {
  const { program, errors } = parseSync(path, source);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
  return program;
}

function walk(root: Node, visit: (node: Node, parent: Node, statement: number) => void): void {
  const descend = (node: Node, parent: Node, statement: number): void => {
    if (node.type.startsWith('TS') && !TYPED_VALUES.test(node.type)) return;
    if (node.type === 'ImportDeclaration' || node.type === 'ExportAllDeclaration') return;
    const inner = isListed(node, parent) ? node.start : statement;
    if (node !== root) visit(node, parent, inner);
    for (const value of Object.values(node).flat()) if (isNode(value)) descend(value, node, inner);
  };
  descend(root, root, root.start);
}

/** Whether a statement is in a list of statements, so that another can stand before it. */
function isListed(node: Node, parent: Node): boolean {
  if (parent.type === 'SwitchCase') return node !== parent.test;
  return parent.type === 'BlockStatement' || parent.type === 'Program';
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value;
}

function editsOf(node: Node, parent: Node, source: string): Edit[] {
  const { start, end } = node;
  const text = (part: Node): string => source.slice(part.start, part.end);
  const replace = (mutator: string, ...replacements: string[]): Edit[] =>
    replacements.map((replacement) => [mutator, start, end, replacement]);
  /** Replaces what is written between two nodes. */
  const between = (mutator: string, left: Node, what: string, right: Node, replacement: string): Edit => {
    const at = source.indexOf(what, left.end);
    if (at < 0 || at >= right.start) throw new Error(`no ${what} in ${source.slice(start, end)}`);
    return [mutator, at, at + what.length, replacement];
  };

  switch (node.type) {
    case 'BinaryExpression':
    case 'AssignmentExpression':
      if (node.operator === '+' && [node.left, node.right].some(isText)) return [];
      return (OPERATORS[node.operator] ?? []).map((other) =>
        between('operator', node.left, node.operator, node.right, other),
      );
    case 'UpdateExpression':
      return replace(
        'operator',
        text(node).replace(/\+\+|--/, (sign) => (sign === '++' ? '--' : '++')),
      );
    case 'UnaryExpression':
      return node.operator === '!' || node.operator === '-'
        ? replace(node.operator === '!' ? 'condition' : 'operator', text(node.argument))
        : [];
    case 'LogicalExpression': {
      const sides = replace('side of a logical operator left out', text(node.left), text(node.right));
      if (node.operator === '??') return sides.slice(0, 1);
      const other = node.operator === '&&' ? '||' : '&&';
      return [...sides, between('logical operator', node.left, node.operator, node.right, other)];
    }
    case 'IfStatement':
    case 'ConditionalExpression':
      return ['true', 'false'].map((value) => ['condition', node.test.start, node.test.end, value] as const);
    case 'WhileStatement':
      return [['condition', node.test.start, node.test.end, 'false']];
    case 'ForStatement':
      return node.test ? [['condition', node.test.start, node.test.end, 'false']] : [];
    case 'Literal':
    case 'TemplateLiteral':
    case 'ArrayExpression':
    case 'ObjectExpression':
      return emptied(node, parent).flatMap((empty) => replace('literal', empty));
    case 'ExpressionStatement':
    case 'ThrowStatement':
    case 'ContinueStatement':
      // A block: the compiler refuses an `if` with nothing but a semicolon, which would hide that no test does.
      return replace('statement', '{}');
    case 'ReturnStatement':
      if (node.argument && text(node.argument) === 'undefined') return [];
      return replace('statement', node.argument ? 'return undefined as never;' : '{}');
    case 'ArrowFunctionExpression':
      return node.body.type === 'BlockStatement' || text(node.body) === 'undefined'
        ? []
        : [['statement', node.body.start, node.body.end, 'undefined as never']];
    case 'AwaitExpression':
      return replace('await', text(node.argument));
    case 'MemberExpression':
      return node.optional ? [between('?.', node.object, '?.', node.property, node.computed ? '' : '.')] : [];
    case 'CallExpression':
      return editsOfCall(node, text, replace);
    default:
      return [];
  }
}

/** An empty literal in place of this one, or the other truth value. */
function emptied(node: Node, parent: Node): string[] {
  switch (node.type) {
    case 'Literal':
      if (typeof node.value === 'boolean') return [String(!node.value)];
      return typeof node.value !== 'string' || node.value === '' || isName(node, parent) ? [] : ["''"];
    case 'TemplateLiteral':
      return node.end - node.start > 2 ? ['``'] : [];
    case 'ArrayExpression':
      return node.elements.length > 0 ? ['[]'] : [];
    case 'ObjectExpression':
      return node.properties.length > 0 ? ['{}'] : [];
    default:
      return [];
  }
}

function editsOfCall(
  { callee, optional, end }: ESTree.CallExpression,
  text: (part: Node) => string,
  replace: (mutator: string, ...replacements: string[]) => Edit[],
): Edit[] {
  const edits: Edit[] = optional ? [['?.', callee.end, callee.end + 2, '']] : [];
  if (callee.type !== 'MemberExpression' || callee.property.type !== 'Identifier' || callee.computed)
    return edits;
  const { name, start, end: nameEnd } = callee.property;
  const other = METHODS[name];
  if (other !== undefined) edits.push(['method', start, nameEnd, other]);
  if (STEPS.has(name) && end > nameEnd) edits.push(...replace('method', text(callee.object)));
  return edits;
}

function isText(node: Node): boolean {
  return (node.type === 'Literal' && typeof node.value === 'string') || node.type === 'TemplateLiteral';
}

/** Whether a text names something of the language: a module, a property, a directive. */
function isName(node: Node, parent: Node): boolean {
  if (
    parent.type === 'Property' ||
    parent.type === 'PropertyDefinition' ||
    parent.type === 'MethodDefinition'
  )
    return parent.key === node;
  return (
    /^(Export|ImportExpression)/.test(parent.type) ||
    (parent.type === 'ExpressionStatement' && 'directive' in parent)
  );
}
