import { model, type Mutation, protocol } from './mutation-type.ts';

/** Mutations of what holds while the life of access tokens is changed. */
export const LIFE_MUTATIONS: readonly Mutation[] = [
  {
    name: 'long-token-judged',
    point: 16,
    wrong: 'A verifier judges a token that lives longer than its node keeps endings.',
    file: model('verifier-process'),
    edits: [['if (isLong || !subscriber', 'if (!subscriber']],
  },
  {
    name: 'longer-life-unread',
    point: 16,
    wrong: 'A node that keeps endings for longer trusts its replica, which has dropped some already.',
    file: protocol('node'),
    edits: [['    this.#replica.keepFor(ms);\n    this.#readAnew();\n', '    this.#replica.keepFor(ms);\n']],
  },
  {
    name: 'read-too-short',
    point: 16,
    wrong: 'A read makes a node fresh although endings must be kept for longer since the question.',
    file: protocol('node'),
    edits: [['const isShort = keepMs !== this.#keepMs;', 'const isShort = false;']],
  },
  {
    name: 'entries-dropped-early',
    point: 16,
    wrong: 'A replica goes on dropping entries after the shorter time.',
    file: protocol('replica'),
    edits: [['    this.#keepMs = Math.max(this.#keepMs, ms);\n', '']],
  },
  {
    name: 'longer-life-issued-first',
    point: 16,
    wrong: 'A node issues tokens with a longer life, and names it, but keeps endings no longer than before.',
    file: model('node-process'),
    edits: [['    this.node.keepFor(plan.keepMs(this.tokenLife.longestMs));\n', '']],
  },
  {
    name: 'replica-of-other-terms',
    point: 16,
    wrong: 'A verifier keeps its replica, and what it remembers, when its node names other terms.',
    file: protocol('subscriber'),
    edits: [['before.keep === welcome.keep && before.epoch', 'before.epoch']],
  },
];
