import { model, type Mutation, protocol } from './mutation-type.ts';

/** Faults in cuts: in their keys and their merging, at logins, and where a party knows only some of their kinds. */
export const CUT_MUTATIONS: readonly Mutation[] = [
  {
    name: 'exception-forgives',
    point: 6,
    wrong: '"Log out the others" after "log out all" revives the spared session.',
    file: protocol('cuts'),
    edits: [
      [
        'base: Math.max(low.base, high.base, differ ? low.position : 0),',
        'base: differ ? 0 : Math.max(low.base, high.base),',
      ],
    ],
  },
  {
    name: 'last-cut-counts',
    point: 6,
    wrong: 'Of two cuts under a key only the last to arrive counts.',
    file: protocol('replica'),
    edits: [
      ['cut: there ? mergeCuts(there, cut) : cut, heardMs: nowMs', 'cut: there ? cut : cut, heardMs: nowMs'],
    ],
  },
  {
    name: 'login-unlocked',
    point: 6,
    wrong: 'A session is begun through a login whose row it does not lock, while an ending names the login.',
    file: model('database'),
    edits: [['through && this.#rows.of([through], () => (sawAlive = this.isAlive(through)))', 'null']],
  },
  {
    name: 'children-forgotten',
    point: 6,
    wrong: 'An ending that names a login does not tell the replicas to end what was begun through it.',
    file: model('scope-cuts'),
    edits: [['named.filter(({ hasChildren }) => hasChildren)', 'named.filter(() => false)']],
  },
  {
    name: 'login-not-judged',
    point: 6,
    wrong:
      'A session that was begun through a login is judged by its own position alone, so it survives a cut of the login that it races.',
    file: protocol('cuts'),
    edits: [
      [
        'return { ...session, ...login, login: null };',
        'return { ...session, sid: login.sid, clientId: login.clientId, login: null };',
      ],
    ],
  },
  {
    name: 'client-of-login',
    point: 6,
    wrong: 'A cut of the application of a login spares what was begun through the login.',
    file: protocol('cuts'),
    edits: [
      [
        'return { ...session, ...login, login: null };',
        'return { ...session, sid: login.sid, born: login.born, login: null };',
      ],
    ],
  },
  {
    name: 'key-of-login',
    point: 6,
    wrong:
      'A session that was begun through a login has its own id in the key, so an end of the login spares it.',
    file: protocol('cuts'),
    edits: [
      [
        'return { ...session, ...login, login: null };',
        'return { ...session, ...login, sid: session.sid, login: null };',
      ],
    ],
  },
  {
    name: 'key-of-tenant',
    point: 6,
    wrong: 'Every session has the key of the default tenant.',
    file: protocol('cuts'),
    edits: [["tenantKey(session.tenant ?? '')", 'tenantKey(DEFAULT_TENANT)']],
  },
  {
    name: 'older-token-ended',
    point: 17,
    wrong: 'A token of an older node, which names no tenant, is ended by a cut of the default tenant.',
    file: protocol('cuts'),
    edits: [["tenantKey(session.tenant ?? '')", 'tenantKey(session.tenant ?? DEFAULT_TENANT)']],
  },
  {
    name: 'key-of-grant',
    point: 6,
    wrong: 'The key of a grant lacks the client.',
    file: protocol('cuts'),
    edits: [['grantKey(session.subject, session.clientId),', "grantKey(session.subject, ''),"]],
  },
  {
    name: 'kind-uncounted',
    point: 6,
    wrong: 'A cut is not counted by its kind, so checks do not look for its key.',
    file: protocol('replica'),
    edits: [['    else this.#count(key, 1);\n', '']],
  },
  {
    name: 'older-verifier-heard',
    point: 17,
    wrong: 'An acknowledgement counts although its verifier does not understand the cut.',
    file: protocol('publisher'),
    edits: [['if (feed.version === 1) feed.understands', 'if (feed.version === 0) feed.understands']],
  },
  {
    name: 'older-verifier-renewed',
    point: 17,
    wrong: 'A verifier that does not understand every cut is renewed.',
    file: protocol('node'),
    edits: [['if (feed.version === 1 && !this.#replica', 'if (feed.version === 0 && !this.#replica']],
  },
  {
    name: 'older-token-believed',
    point: 17,
    wrong:
      'A token of an older node, which names neither tenant nor login, is judged by a replica with cuts of them.',
    file: protocol('replica'),
    edits: [
      ['return facts.tenant !== null || this.#held(TENANT) + this.#held(LOGIN) === 0;', 'return true;'],
    ],
  },
];
