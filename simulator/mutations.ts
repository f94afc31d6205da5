import { CUT_MUTATIONS } from './cut-mutations.ts';
import { LIFE_MUTATIONS } from './life-mutations.ts';
import { model, type Mutation, protocol } from './mutation-type.ts';

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'fresh-from-answer',
    point: 1,
    wrong: "A verifier's freshness begins when the renewal is answered, not when it was sent.",
    file: protocol('subscriber'),
    edits: [['this.#freshness?.prove(asked, age);', 'this.#freshness?.prove(this.#world.now(), age);']],
  },
  {
    name: 'age-ignored',
    point: 1,
    wrong: "A verifier ignores the age of its node's knowledge.",
    file: protocol('subscriber'),
    edits: [['this.#freshness?.prove(asked, age);', 'this.#freshness?.prove(asked, 0);']],
  },
  {
    name: 'clock-before-lookup',
    point: 1,
    wrong: 'A verifier reads the clock before it looks into the replica.',
    file: protocol('subscriber'),
    edits: [
      [
        "    if (this.#replica.ends(session)) return 'ended';",
        "    const fresh = this.#freshness.isFresh(this.#world.now());\n    if (this.#replica.ends(session)) return 'ended';",
      ],
      [
        "return this.#freshness.isFresh(this.#world.now()) ? 'alive' : 'unsure';",
        "return fresh ? 'alive' : 'unsure';",
      ],
    ],
  },
  {
    name: 'clock-before-lookup-node',
    point: 1,
    wrong: 'A node reads the clock before it looks into the replica.',
    file: protocol('node'),
    edits: [
      [
        "    if (this.#replica.ends(session)) return 'ended';",
        "    const fresh = this.isFresh();\n    if (this.#replica.ends(session)) return 'ended';",
      ],
      ["return this.isFresh() ? 'alive' : 'unsure';", "return fresh ? 'alive' : 'unsure';"],
    ],
  },
  {
    name: 'read-dated-by-answer',
    point: 1,
    wrong: 'A node is fresh as of the answer to its read, not as of the question.',
    file: protocol('node'),
    edits: [['this.#freshness.prove(asked, 0);', 'this.#freshness.prove(this.#world.now(), 0);']],
  },
  {
    name: 'sleep-unnoticed',
    point: 1,
    wrong: 'Processes read only the monotonic clock, which stands still while a machine sleeps.',
    file: protocol('freshness'),
    edits: [
      [
        'return Math.max(now.monotonicMs - this.#asOfMs, Math.abs(now.wallMs - this.#asOfWallMs));',
        'return this.#asOfWallMs > 0 ? now.monotonicMs - this.#asOfMs : Number.POSITIVE_INFINITY;',
      ],
    ],
  },
  {
    name: 'age-by-one-clock',
    point: 1,
    wrong:
      'A node that slept for less than a lease sends its verifiers an age by its monotonic clock, which stood still.',
    file: protocol('freshness'),
    edits: [
      [
        'return this.ageMs(now) < this.#leaseMs;',
        'return this.ageMs(now) < this.#leaseMs && Math.abs(now.wallMs - this.#asOfWallMs) < this.#leaseMs;',
      ],
      [
        'return Math.max(now.monotonicMs - this.#asOfMs, Math.abs(now.wallMs - this.#asOfWallMs));',
        'return now.monotonicMs - this.#asOfMs;',
      ],
    ],
  },
  {
    name: 'wall-clock-only',
    point: 1,
    wrong: 'Processes read only the wall clock, which can be moved.',
    file: protocol('freshness'),
    edits: [
      [
        'return Math.max(now.monotonicMs - this.#asOfMs, Math.abs(now.wallMs - this.#asOfWallMs));',
        'return Number.isFinite(this.#asOfMs) ? now.wallMs - this.#asOfWallMs : Number.POSITIVE_INFINITY;',
      ],
    ],
  },
  {
    name: 'no-margin',
    point: 1,
    wrong: 'A logout adds no margin to the lease for clocks that drift apart.',
    file: protocol('freshness'),
    edits: [['Math.max(20, leaseMs * 0.05)', 'leaseMs * 0']],
  },
  {
    name: 'page-proves',
    point: 1,
    wrong: 'A page of the log makes a node fresh, although there is another page.',
    file: protocol('node'),
    edits: [
      [
        'if (news.more || isShort) {',
        'if (news.more || isShort) {\n          this.#freshness.prove(asked, 0);\n          for (const position of own) this.#own.add(position);\n          return done(null);',
      ],
    ],
  },
  {
    name: 'stepped-over',
    point: 2,
    wrong: 'A read continues from the newest transaction, and skips older open ones.',
    file: protocol('log-cursor'),
    edits: [['for (const xid of seen.open) if (xid < next) open.set(xid, 0);', '']],
  },
  {
    name: 'cursor-not-on-disk',
    point: 2,
    wrong: 'A cursor lies above the newest event, on transaction ids that a crashed database uses again.',
    file: protocol('log-cursor'),
    edits: [
      [
        'Math.min(seen.next, Math.max(from.next, (last?.xid ?? newest) + 1))',
        '(last?.xid ?? seen.next - 1) + 1',
      ],
    ],
  },
  {
    name: 'page-cuts-a-transaction',
    point: 2,
    wrong: 'A page of the log that ends within a transaction omits the rest of it.',
    file: protocol('log-cursor'),
    edits: [['  open.set(last.xid, last.position);\n', '']],
  },
  {
    name: 'page-forgets-late-commits',
    point: 2,
    wrong: 'The cursor after a page forgets open transactions beyond the page, which commit late.',
    file: protocol('log-cursor'),
    edits: [
      [
        '  for (const [xid, position] of from.open) if (xid > last.xid && !open.has(xid)) open.set(xid, position);\n',
        '',
      ],
    ],
  },
  {
    name: 'read-by-position',
    point: 2,
    wrong: 'A read continues from the highest position that the node has seen.',
    file: model('read-log'),
    edits: [
      [
        'xid >= since.next || position > (since.open.get(xid) ?? Number.POSITIVE_INFINITY);',
        'xid > 0 && position >= since.next;',
      ],
      ['>= lowest(since)) from--;', '>= 0) from--;'],
      [
        'cursor: writeCursor(reached),',
        'cursor: String(Math.max(since.next, ...page.map(({ ending }) => ending.position + 1))),',
      ],
    ],
  },
  {
    name: 'starts-past-the-open',
    point: 2,
    wrong: 'A starting node reads from the newest transaction, although older ones are open.',
    file: model('read-log'),
    edits: [
      [
        'open: [...open].map(({ xid }) => xid) };',
        'open: cursor === null ? [] : [...open].map(({ xid }) => xid) };',
      ],
    ],
  },
  {
    name: 'trusts-before-registration',
    point: 3,
    wrong: 'A node reads before its registration is committed, and believes the result.',
    file: protocol('node'),
    edits: [
      [
        '      this.#register((error) => (error ? done(error) : this.#readNow(done)));\n      return;',
        '      this.#register(() => undefined);',
      ],
      [
        '        this.#freshness = new Freshness(this.#leaseMs);\n        if (this.#epoch === null)',
        '        if (this.#epoch === null)',
      ],
    ],
  },
  {
    name: 'registry-read-before-commit',
    point: 3,
    wrong:
      'A read of the registry or the log that was sent before the commit answers a question from after it.',
    file: protocol('shared-runs'),
    edits: [
      [
        `    const served = asking;
    asking = [];
    running = true;`,
        '    running = true;',
      ],
      [
        '      running = false;\n      for (const done of served)',
        '      running = false;\n      const served = asking;\n      asking = [];\n      for (const done of served)',
      ],
    ],
  },
  {
    name: 'first-of-many',
    point: 3,
    wrong: 'Of endings in one commit a node sends only the first to its verifiers.',
    file: protocol('node'),
    edits: [['this.publisher.publish(endings);', 'this.publisher.publish(endings.slice(0, 1));']],
  },
  {
    name: 'departed-forgotten',
    point: 4,
    wrong: 'A logout does not wait for a verifier whose connection has ended.',
    file: protocol('publisher'),
    edits: [['if (this.#feeds.delete(feed)) this.#departed.add(feed);', 'this.#feeds.delete(feed);']],
  },
  {
    name: 'closes-at-once',
    point: 4,
    wrong: "A closing node does not wait until its verifiers' leases have expired.",
    file: protocol('node'),
    edits: [[`    this.publisher.whenNoneTrusts(() => {`, `    ((closed: () => void) => closed())(() => {`]],
  },
  {
    name: 'renews-while-closing',
    point: 4,
    wrong: 'A closing node continues to renew its verifiers.',
    file: protocol('node'),
    edits: [['if (ageMs >= this.#leaseMs || this.#retiring) return;', 'if (ageMs >= this.#leaseMs) return;']],
  },
  {
    name: 'silence-too-short',
    point: 4,
    wrong: 'Others remove a silent node while it may still answer from memory.',
    file: protocol('node'),
    edits: [['const SILENT = 5;', 'const SILENT = 2;']],
  },
  {
    name: 'beat-trusted-too-long',
    point: 4,
    wrong: 'A node whose heartbeats fail trusts its registration for too long.',
    file: protocol('node'),
    edits: [['const BEAT_TRUSTED = 3;', 'const BEAT_TRUSTED = 9;']],
  },
  {
    name: 'beat-begins-anew',
    point: 4,
    wrong: 'A node that registers again keeps a heartbeat that others have seen stand still.',
    file: model('database'),
    edits: [
      [
        'this.#nodes.set(id, { beat: raised });',
        'if (!this.#nodes.has(id)) this.#nodes.set(id, { beat: 0 });',
      ],
    ],
  },
  {
    name: 'renewal-shortens',
    point: 4,
    wrong: 'A renewal by older knowledge shortens the lease that the verifier already has.',
    file: protocol('publisher'),
    edits: [
      [
        'feed.trustsUntilMs = Math.max(feed.trustsUntilMs, monotonicMs - ageMs + this.#trustMs);',
        'feed.trustsUntilMs = monotonicMs - ageMs + this.#trustMs;',
      ],
    ],
  },
  {
    name: 'sole-inherits-nobody',
    point: 4,
    wrong: 'A sole node does not wait for the verifiers of its killed predecessor.',
    file: protocol('node'),
    edits: [['if (dead.length > 0) this.publisher.inherit();', '']],
  },
  {
    name: 'signs-off-at-once',
    point: 4,
    wrong: "A closing node leaves the registry before its verifiers' leases have expired.",
    file: model('node-process'),
    edits: [
      [
        '    this.node.close(() => {',
        '    database.remove(this.process, this.name, () => undefined);\n    this.node.close(() => {',
      ],
    ],
  },
  {
    name: 'begins-at-the-present',
    point: 5,
    wrong: 'A starting node reads only events from now on.',
    file: model('read-log'),
    edits: [
      ["const since = readCursor(cursor ?? '0');", 'const since = readCursor(cursor ?? `${nextXid}`);'],
    ],
  },
  {
    name: 'snapshot-then-stream',
    point: 5,
    wrong: 'The stream starts after the snapshot, numbered as if nothing had come in between.',
    file: model('node-process'),
    edits: [
      [
        `const feed = publisher.join((out) => connection.toVerifier(out), version);`,
        `let whole = false;
        const feed = publisher.join((out) => {
          if (whole || out.t !== 'ending') connection.toVerifier(out);
        }, version);
        connection.begun = () => {
          whole = true;
        };`,
      ],
      [
        `    connection.toVerifier({ t: 'snapshot', seq, parts: count });`,
        `    connection.begun();
    connection.toVerifier({ t: 'snapshot', seq: this.node.publisher.seq, parts: count });`,
      ],
    ],
  },
  {
    name: 'snapshot-kept',
    point: 5,
    wrong: 'After a reconnection the verifier still uses the snapshot of the earlier connection.',
    file: protocol('subscriber'),
    edits: [['    this.#snapshot = null;\n    this.#first = null;', '    this.#first = null;']],
  },
  {
    name: 'pieces-not-counted',
    point: 5,
    wrong: 'A verifier believes a snapshot to be complete, however many pieces have come.',
    file: protocol('subscriber'),
    edits: [['if (!this.#welcomed || message.parts !== this.#parts)', 'if (!this.#welcomed)']],
  },
  {
    name: 'pieces-before-the-terms',
    point: 5,
    wrong: 'A verifier counts pieces of a snapshot that come before the terms, and does not keep them.',
    file: protocol('subscriber'),
    edits: [
      ["if (!this.#welcomed) return this.#world.reconnect('received a snapshot before the terms');", ''],
      ['if (!this.#welcomed || message.parts !== this.#parts)', 'if (message.parts !== this.#parts)'],
    ],
  },
  {
    name: 'renewed-beyond-the-stream',
    point: 5,
    wrong: 'A renewal counts although endings that it covers have not come.',
    file: protocol('subscriber'),
    edits: [["if (this.#last < seq) return this.#world.reconnect('an ending is missing');", '']],
  },
  {
    name: 'older-renewals',
    point: 5,
    wrong: 'A node that is not fresh answers a renewal.',
    file: protocol('node'),
    edits: [['if (ageMs >= this.#leaseMs || this.#retiring) return;', 'if (this.#retiring) return;']],
  },
  ...CUT_MUTATIONS,
  ...LIFE_MUTATIONS,
  {
    name: 'late-row-lives',
    point: 6,
    wrong: 'A session whose row commits after the cut lives, although its position is below the cut.',
    file: model('database'),
    edits: [
      [
        `return session.there && !session.marked && !this.#isCut(session);`,
        `return session.there && !session.marked;`,
      ],
      [
        `for (const one of [...listed, ...this.#truth.childrenOf(listed)]) one.marked = true;`,
        `for (const one of this.#truth.sessions) if (one.there && covers(decision, one)) one.marked = true;`,
      ],
      [`type Truth, describe,`, `type Truth, covers, describe,`],
    ],
  },
  {
    name: 'cut-reaches-too-far',
    point: 6,
    wrong: 'A cut ends a session whose position is above it.',
    file: protocol('cuts'),
    edits: [['session.born < cut.base ||', 'session.born < cut.base + 3 ||']],
  },
  {
    name: 'refresh-revives',
    point: 7,
    wrong: 'A refresh succeeds without a test whether the session has ended.',
    file: model('database'),
    edits: [[`'refresh', () => this.isAlive(session),`, `'refresh', () => session.there,`]],
  },
  {
    name: 'sole-forgets-its-own',
    point: 8,
    wrong: 'A sole node, which reads no log, does not process its own endings.',
    file: model('node-process'),
    edits: [
      ['        this.#takeIn(decisions);', '        if (!this.#sim.plan.sole) this.#takeIn(decisions);'],
    ],
  },
  {
    name: 'memory-without-judge',
    point: 8,
    wrong: 'A node or verifier accepts a remembered credential without the replica.',
    file: protocol('memory'),
    edits: [[`const verdict = this.#judge(known.session);`, `const verdict = 'alive' as Verdict;`]],
  },
  {
    name: 'unsure-is-yes',
    point: 8,
    wrong:
      'A node or verifier accepts a remembered credential while it cannot prove that the replica is fresh.',
    file: protocol('memory'),
    edits: [["if (verdict === 'alive') return known;", "if (verdict !== 'ended') return known;"]],
  },
  {
    name: 'old-answers-believed',
    point: 8,
    wrong: 'A verifier believes an answer that is older than the lease.',
    file: model('verifier-process'),
    edits: [
      [
        "if (answer !== 'yes' || old) return done(answer === 'yes' ? 'fault' : answer);",
        "if (answer !== 'yes') return done(answer);",
      ],
    ],
  },
  {
    name: 'any-spelling',
    point: 9,
    wrong: 'A token is accepted in a spelling other than the canonical one.',
    file: model('credentials'),
    edits: [['if (signed !== right) return null;', '']],
  },
  {
    name: 'ids-by-time',
    point: 9,
    wrong: "A logout is keyed on the time in the session's id, not on the whole id.",
    file: protocol('ended-ids'),
    edits: [
      [`return { a, b: (b & 0x3fffffff) | (timeLow << 30), c };`, `return { a: timeLow, b: 1, c: 1 };`],
    ],
  },
  {
    name: 'logout-swallows-error',
    point: 10,
    wrong: 'A logout that the database refused is answered with success.',
    file: model('node-process'),
    edits: [
      [
        `if (error || answer === undefined) return done(error);`,
        `if (error || answer === undefined) return truth.toldNothing(this, by[0] as Session, { atMs: world.nowMs, suspendedMs: this.process.suspendedMs, life: truth.life });`,
      ],
    ],
  },
  {
    name: 'check-swallows-error',
    point: 10,
    wrong: 'A check that the database did not answer is answered with yes.',
    file: model('node-process'),
    edits: [["if (error) return done('fault');", "if (error) found = 'alive';"]],
  },
  {
    name: 'failed-read-is-fresh',
    point: 10,
    wrong: 'A failed read of the log makes a node fresh.',
    file: protocol('node'),
    edits: [
      [
        '          for (const position of own) this.#own.add(position);\n          return done(error ??',
        '          for (const position of own) this.#own.add(position);\n          this.#freshness.prove(asked, 0);\n          return done(error ??',
      ],
    ],
  },
  {
    name: 'untaken-is-fresh',
    point: 10,
    wrong: 'A read makes a node fresh although the node could not process all of it.',
    file: protocol('node'),
    edits: [
      [
        '      this.missed(fault);\n      done(fault);',
        '      this.#complete = true;\n      this.#freshness.prove(asked, 0);\n      done(fault && null);',
      ],
    ],
  },
  {
    name: 'untaken-is-confirmed',
    point: 10,
    wrong: 'A logout is confirmed although this node could neither process it nor send it to its verifiers.',
    file: protocol('node'),
    edits: [['      this.missed(error);\n      return false;', '      void error;\n      return false;']],
  },
  {
    name: 'untaken-is-left-out',
    point: 10,
    wrong: "A node's reads omit its own endings that it could not process.",
    file: model('node-process'),
    edits: [['if (taken) for (const { ending } of decisions)', 'for (const { ending } of decisions)']],
  },
  {
    name: 'unread-registry-is-empty',
    point: 10,
    wrong: 'A registry that cannot be read counts as empty.',
    file: protocol('node'),
    edits: [
      [
        "      if (error || ids === undefined) return this.#trouble('registry', error);\n      this.#others",
        "      if (error || ids === undefined) {\n        this.#trouble('registry', error);\n        ids = [];\n      }\n      this.#others",
      ],
    ],
  },
  {
    name: 'success-before-commit',
    point: 10,
    wrong: 'A logout answers when its statement is sent, before the commit.',
    file: model('node-process'),
    edits: [
      [
        `    database.end(this.process, scope, by, (error, answer) => {`,
        `    truth.toldNothing(this, by[0] as Session, { atMs: world.nowMs, suspendedMs: this.process.suspendedMs, life: truth.life });
    database.end(this.process, scope, by, (error, answer) => {`,
      ],
    ],
  },
  {
    name: 'ack-before-snapshot',
    point: 11,
    wrong: 'A verifier acknowledges numbers before it has the snapshot.',
    file: protocol('subscriber'),
    edits: [
      [
        "if (this.#snapshot !== null) this.#world.send({ t: 'ack', seq });",
        "this.#world.send({ t: 'ack', seq });",
      ],
    ],
  },
  {
    name: 'ack-without-reading',
    point: 11,
    wrong: 'A node acknowledges a ring without a read of the log.',
    file: protocol('node'),
    edits: [
      [
        `        this.#acknowledge(message.ring, message.from);
      });`,
        `      });
      this.#acknowledge(message.ring, message.from);`,
      ],
    ],
  },
  {
    name: 'ack-for-verifiers',
    point: 11,
    wrong: 'A node acknowledges for its verifiers when it has the ending itself.',
    file: protocol('node'),
    edits: [
      [
        'if (!over) say(tallyNow());',
        `if (!over) {
      over = true;
      say(tallyNow());
    }`,
      ],
    ],
  },
  {
    name: 'earlier-acks-count',
    point: 11,
    wrong: 'An acknowledgement of an earlier ring counts.',
    file: protocol('node'),
    edits: [
      [
        'if (message.ack < confirmation.ring || !confirmation.others?.has(message.from)) continue;',
        'if (!confirmation.others?.has(message.from)) continue;',
      ],
    ],
  },
  {
    name: 'missing-counted-as-acknowledged',
    point: 11,
    wrong: 'A logout counts verifiers whose lease it waited for as having acknowledged.',
    file: protocol('publisher'),
    edits: [
      [
        '({ acknowledged: wait.acknowledged, missing: wait.missing.size })',
        '({ acknowledged: wait.acknowledged + wait.missing.size, missing: 0 })',
      ],
    ],
  },
  {
    name: 'confirms-before-reading',
    point: 11,
    wrong: 'A logout that found nothing to end asks for acknowledgements before this node knows the ending.',
    file: protocol('node'),
    edits: [
      [
        `    this.catchUp((error) => {
      if (error) this.#trouble('log', error);
      else this.confirm(answer, endings ?? []);
    });`,
        `    this.confirm((error, told) => this.catchUp(() => answer(error, told)), endings ?? []);`,
      ],
      // Otherwise the two would ask each other for ever.
      ['    if (!this.#complete) return this.#confirmRead(done, endings);\n', ''],
    ],
  },
  {
    name: 'no-deadline',
    point: 11,
    wrong: 'A logout waits for all acknowledgements without a time limit.',
    file: protocol('node'),
    edits: [
      [
        'const stopDeadline = this.#world.after(this.#waitMs + 1, answer);',
        'const stopDeadline = this.#world.after(20 * this.#waitMs + 1, answer);',
      ],
    ],
  },
  {
    name: 'mac-not-looked-at',
    point: 12,
    wrong: 'A node believes a message with any MAC.',
    file: protocol('sealed'),
    edits: [
      ['return authenticator.verifies(textOf(json, about), mac) ? json : null;', 'return mac ? json : null;'],
    ],
  },
  {
    name: 'mac-without-ring',
    point: 12,
    wrong: 'The MAC of an acknowledgement does not cover the ring that it answers.',
    file: protocol('sealed'),
    edits: [['`${about}\\n${json}`', '`${about}\\n${json.replace(/"ack":\\d+/, \'\')}`']],
  },
  {
    name: 'mac-without-receiver',
    point: 12,
    wrong: 'The MAC of an acknowledgement does not cover its receiver.',
    file: protocol('sealed'),
    edits: [['`${about}\\n${json}`', '`${about}\\n${json.replace(/"to":"[^"]*"/, \'\')}`']],
  },
  {
    name: 'mac-without-sender',
    point: 12,
    wrong: 'The MAC of an acknowledgement does not cover its sender.',
    file: protocol('sealed'),
    edits: [['`${about}\\n${json}`', '`${about}\\n${json.replace(/"from":"[^"]*"/, \'\')}`']],
  },
  {
    name: 'list-partly-ended',
    point: 15,
    wrong: 'A logout of a list that others have ended in part is confirmed before this node knows that part.',
    file: model('node-process'),
    edits: [
      [
        'if (ended.length === named.length) this.node.confirm(answer, decision ? [decision.ending] : []);',
        'if (ended.length > 0) this.node.confirm(answer, decision ? [decision.ending] : []);',
      ],
    ],
  },
  {
    name: 'other-server-unseen',
    point: 14,
    wrong: 'A node does not test whether the epoch was recorded on the answering server.',
    file: protocol('node'),
    edits: [['const moved = answer.foreign || (', 'const moved = (']],
  },
  {
    name: 'older-copy-unseen',
    point: 14,
    wrong:
      'A node does not notice that the log ends below its cursor, that endings are missing, or that its heartbeat is an older one.',
    file: protocol('node'),
    edits: [
      [
        'if (moved || answer.behind === true || (answer.beat !== null && answer.beat < beat)) {',
        'if (moved) {',
      ],
    ],
  },
  {
    name: 'lost-cursor-kept',
    point: 14,
    wrong: 'A node continues from its cursor in the lost history.',
    file: protocol('node'),
    edits: [['    this.#beatKnown = 0;\n    this.#cursor = null;\n', '    this.#beatKnown = 0;\n']],
  },
  {
    name: 'lost-replica-kept',
    point: 14,
    wrong: 'A node keeps the endings of the lost history.',
    file: protocol('node'),
    edits: [['    this.#replica = new Replica(this.#keepMs, this.#world.now().monotonicMs);\n', '']],
  },
  {
    name: 'registry-believed-at-once',
    point: 14,
    wrong:
      'A logout believes the registry of a database that has just gone back, which may lack nodes that are still fresh.',
    file: protocol('node'),
    edits: [['if (!registry.settled) return done(', 'if (!registry.epoch) return done(']],
  },
  {
    name: 'lost-ending-confirmed',
    point: 14,
    wrong: 'A logout that waits while the database goes back is confirmed, although its ending was lost.',
    file: protocol('node'),
    edits: [['if (life === this.#life) return false;', 'if (life !== undefined) return false;']],
  },
  {
    name: 'cut-below-the-lost',
    point: 14,
    wrong:
      'The first cut after a start of the server continues to count from an older copy, below sessions that were lost with it.',
    file: model('database'),
    edits: [
      [
        'if (this.#incarnation.started !== this.#starts) {',
        'if (this.#incarnation.started > this.#starts) {',
      ],
    ],
  },
  {
    name: 'verifier-keeps-lost-replica',
    point: 14,
    wrong: 'A verifier continues with the replica of the lost history.',
    file: protocol('subscriber'),
    edits: [
      ['before.keep === welcome.keep && before.epoch === welcome.epoch', 'before.keep === welcome.keep'],
    ],
  },
  {
    name: 'verifier-judges-lost-tokens',
    point: 14,
    wrong: 'A verifier judges a token of another epoch by its signature and the replica.',
    file: protocol('subscriber'),
    edits: [
      [
        'return current === undefined || current === epoch;',
        'return current !== null || epoch === undefined;',
      ],
    ],
  },
  {
    name: 'verifier-remembers-the-lost',
    point: 14,
    wrong: 'A verifier still believes answers about sessions of the lost history.',
    file: model('verifier-process'),
    edits: [['onNewReplica: () => this.memory.forget()', 'onNewReplica: () => undefined']],
  },
];
