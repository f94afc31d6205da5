import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Family } from '../trials.ts';
import { readConfig } from '../config.ts';
import { readAnnouncement } from './announcement.ts';
import { requireUser } from './arguments.ts';
import { apiOperator } from './api-operator.ts';
import { type Command, type CommandLine, EXIT, Failed, UsageError } from './declare.ts';
import { coverageOf, type NodeState, stateOf } from './prove/coverage.ts';
import { forScopes, type Held, inTurn, logInThrough, sessionCookie, type ProofUser } from './prove/logins.ts';
import { press } from './prove/press.ts';
import { isProven, type Proof, renderReport, reportOf } from './prove/report.ts';
import { addressAt, type Reply, Requests } from './prove/requests.ts';
import { endByScope, SCOPES } from './prove/scopes.ts';
import {
  backEndSurface,
  nodeSurfaces,
  replicaSurface,
  type Surface,
  type CheckAnswer,
} from './prove/surfaces.ts';
import type { Operator } from './operator.ts';
import { remoteServer } from './reach.ts';
import { readPassword } from './secret.ts';

const DEFAULT_ROUNDS = 5;
/** How long every surface is checked before a logout, and after its answer. */
const BEFORE_MS = 30;
const AFTER_MS = 150;
/** How long a surface may be unable to tell whether a session is alive. */
const TELLS_MS = 10_000;

const prove: Command = {
  words: 'prove',
  summary: 'Prove that logouts are true everywhere when they answer',
  description: [
    'The command creates a throw-away user, logs it in through every contract, and checks the credentials at every place. Then it logs out through each contract, in each scope of a user, and in each scope of an administrator that touches no other user. After each answer it keeps checking at every place. It prints, for each place, the checks that began after the answer and how many of them were accepted. The exit code is 1 if a check was accepted, a logout was not confirmed, a place never gave an answer, or a node or verifier was not checked.',
    'The places are: each node, called as a back end and as a proxy calls it; two replicas of each node in this process, one of which may not ask the authority; and each address in --back-end. Name more nodes with --node, and addresses that verifiers protect with --back-end: the registry knows that nodes and verifiers exist, but not their addresses.',
    'The command needs a running server: the server that has the embedded database open, or --url and CURFEW_SERVICE_KEY, an operator’s API key with the scope admin.',
  ],
  options: {
    url: {
      value: 'ADDRESS',
      about:
        'The address of a node. Needs CURFEW_SERVICE_KEY in the environment: an API key with the scope admin. Or set CURFEW_URL.',
    },
    node: {
      value: 'LIST',
      about: 'More nodes, separated by commas. Logins and logouts go to each node in turn.',
    },
    'back-end': {
      value: 'LIST',
      about:
        'Addresses that a verifier protects, separated by commas. 2xx means accepted, 401 means refused.',
    },
    user: {
      value: 'USER',
      about:
        'Use this user, with the password from standard input, instead of a throw-away user. This logs the user out everywhere!',
    },
    rounds: {
      value: 'N',
      about: `How many rounds to run. A round has one logout per contract, one per scope, and one that ends two sessions at once. Default: ${DEFAULT_ROUNDS}.`,
    },
  },
  examples: [
    'curfew prove',
    'curfew prove --node https://b.example.com --back-end https://api.example.com/me',
    'curfew prove --rounds 50 --json',
  ],
  async run(line) {
    // Imported where it is used: it loads the whole server, which the help does not need.
    const { FAMILIES } = await import('../trials.ts');
    const rounds = line.integer('rounds', 1, 10_000) ?? DEFAULT_ROUNDS;
    const { url, serviceKey } = serverOf(line);
    const nodes = [url, ...listOf(line, 'node')];
    const operator = apiOperator(url, serviceKey);
    const requests = new Requests();
    const surfaces: Surface[] = [];
    try {
      // Needs the most of the key, so a key with too little is refused before anything is created.
      const before = await statesOf(requests, nodes, serviceKey);
      const user = await userOf(line, operator);
      try {
        const proofs = await proveAll(line, {
          requests,
          nodes,
          serviceKey,
          surfaces,
          user: user.who,
          rounds,
          families: FAMILIES,
        });
        const after = await statesOf(requests, nodes, serviceKey);
        const report = reportOf(proofs, coverageOf(before, after, listOf(line, 'back-end').length));
        line.terminal.answer(report, renderReport(report));
        return isProven(report) ? EXIT.done : EXIT.failed;
      } finally {
        if (user.made) await operator.deleteUser(user.who.id, false);
      }
    } finally {
      for (const surface of surfaces) await surface.close();
      requests.close();
      await operator.close();
    }
  },
};

export const proveCommands: Command[] = [prove];

async function statesOf(
  requests: Requests,
  nodes: readonly string[],
  serviceKey: string,
): Promise<Map<string, NodeState>> {
  const states = new Map<string, NodeState>();
  for (const node of nodes) states.set(node, await stateOf(requests, node, serviceKey));
  return states;
}

/** The named server, else the one that has the embedded database. */
function serverOf(line: CommandLine): { url: string; serviceKey: string } {
  const remote = remoteServer(line);
  if (remote) return remote;
  const { database } = readConfig(line.environment);
  const announced = database.kind === 'embedded' ? readAnnouncement(database.directory) : null;
  if (!announced)
    throw new Failed('no running server found. Start one (curfew serve), or name one with --url.');
  return { url: announced.url, serviceKey: announced.key };
}

function listOf(line: CommandLine, name: string): string[] {
  const list = (line.text(name) ?? '').split(',').filter((item) => item !== '');
  for (const item of list)
    if (!URL.canParse(item)) throw new UsageError(`--${name}: ${item} is not an address.`);
  return list;
}

async function userOf(line: CommandLine, operator: Operator): Promise<{ who: ProofUser; made: boolean }> {
  const named = line.text('user');
  if (named !== undefined) {
    const { id, email } = await requireUser(operator, named);
    return { who: { id, email, password: await readPassword(line.terminal.streams) }, made: false };
  }
  const email = `prove-${randomBytes(8).toString('hex')}@curfew.invalid`;
  const password = randomBytes(24).toString('base64url');
  const made = await operator.addUser({ email, name: 'curfew prove', role: 'user', workspace: '', password });
  if (!made) throw new Failed('could not create the throw-away user');
  return { who: { id: made.id, email, password }, made: true };
}

interface Proving {
  requests: Requests;
  nodes: string[];
  serviceKey: string;
  surfaces: Surface[];
  user: ProofUser;
  rounds: number;
  families: readonly Family[];
}

async function proveAll(line: CommandLine, how: Proving): Promise<Proof[]> {
  const { requests, nodes, serviceKey, surfaces, user, rounds, families } = how;
  const [first = ''] = nodes;
  const { origin, cookieName, audiences } = await termsOf(requests, first, user, families);
  for (const node of nodes) {
    surfaces.push(...nodeSurfaces(requests, node, serviceKey, cookieName));
    for (const onStale of ['ask', 'refuse'] as const)
      surfaces.push(await replicaSurface(node, serviceKey, audiences, onStale));
  }
  for (const url of listOf(line, 'back-end')) surfaces.push(backEndSurface(requests, url, cookieName));

  const progress = line.terminal.progress();
  const proofs: Proof[] = [];
  for (let round = 0; round < rounds; round++) {
    progress.show(`round ${round + 1} of ${rounds}, ${surfaces.length} places`);
    const node = nodes[round % nodes.length] ?? first;
    const open: Held[] = [];
    for (const family of inTurn(families, round))
      open.push(await logInThrough(requests, node, family, user, origin));
    await expectAccepted(surfaces, open);
    while (open.length > 0) {
      const [ended] = open;
      if (ended === undefined) break;
      const { endsAll } = ended;
      const along = endsAll ? open.slice(1) : [];
      proofs.push(await proveOne(surfaces, `contract ${ended.contract}`, ended, along, ended.logOut));
      open.splice(0, endsAll ? open.length : 1);
    }
    for (const scope of SCOPES) {
      const held: Held[] = [];
      for (const family of forScopes(families, round))
        held.push(await logInThrough(requests, node, family, user, origin));
      await expectAccepted(surfaces, held);
      const end = await endByScope(requests, node, serviceKey, scope, held, user);
      const [ended, ...along] = held.filter((_, index) => scope.ends(index));
      if (ended === undefined) continue;
      proofs.push(await proveOne(surfaces, `${scope.by}'s ${scope.name}`, ended, along, end));
      const left = held.filter((_, index) => !scope.ends(index));
      await expectAccepted(surfaces, left);
      for (const one of left) if ((await one.logOut()).status === 200 && one.endsAll) break;
    }
  }
  progress.end();
  return proofs;
}

/**
 * Before anything is logged out every surface must accept everything, or a later refusal would prove nothing. A surface that cannot
 * tell, such as a replica that has just become stale, refuses nothing: it is asked again.
 */
async function expectAccepted(surfaces: readonly Surface[], open: readonly Held[]): Promise<void> {
  for (const surface of surfaces)
    for (const held of open) {
      const untilMs = performance.now() + TELLS_MS;
      let answer = await surface.check(held);
      while (answer === 'unsure' && performance.now() < untilMs) {
        await sleep(BEFORE_MS);
        answer = await surface.check(held);
      }
      if (answer === 'refused')
        throw new Failed(`${surface.name} refuses a live session of contract ${held.contract}`);
      if (answer === 'unsure')
        throw new Failed(`${surface.name} did not say within ten seconds whether a session is alive`);
    }
}

/** @param along credentials that end with it */
async function proveOne(
  surfaces: readonly Surface[],
  way: string,
  ended: Held,
  along: readonly Held[],
  end: () => Promise<Reply>,
): Promise<Proof> {
  const pressed = surfaces.map((surface) => press(surface, ended));
  try {
    await sleep(BEFORE_MS);
    const startMs = performance.now();
    const reply = await end();
    const answeredMs = performance.now();
    for (const one of pressed) one.answered(answeredMs);
    if (reply.status !== 200) throw new Failed(`the logout by ${way} was answered with ${reply.status}`);
    // The other credentials that end with it are checked once, at once.
    const looks = await Promise.all(
      surfaces.map((surface) => Promise.all(along.map((held) => surface.check(held)))),
    );
    await sleep(AFTER_MS);
    const results = await Promise.all(pressed.map((one) => one.stop()));
    return {
      way,
      ms: answeredMs - startMs,
      ...propagationOf(reply.headers['curfew-propagation'], reply.text),
      surfaces: results.map((result, i) => {
        const verdicts = looks[i] ?? [];
        const count = (wanted: CheckAnswer): number =>
          verdicts.filter((verdict) => verdict === wanted).length;
        return {
          ...result,
          checks: result.checks + verdicts.length,
          late: result.late + count('accepted'),
          unsure: result.unsure + count('unsure'),
        };
      }),
    };
  } finally {
    // Checks that continue after a failure would keep the process alive.
    await Promise.allSettled(pressed.map((one) => one.stop()));
  }
}

/** The header of the four contracts, or the body of `/v1/logout`. */
function propagationOf(
  header: string | string[] | undefined,
  body: string,
): { confirmed: boolean; acknowledged: number; waitedOut: number } {
  if (typeof header === 'string') {
    const member = (name: string): string => new RegExp(`${name}=([^,]+)`).exec(header)?.[1] ?? '';
    return {
      confirmed: member('confirmed') === '?1',
      acknowledged: Number(member('acknowledged')),
      waitedOut: Number(member('waited-out')),
    };
  }
  const { confirmed, acknowledged, waited_out: waitedOut } = JSON.parse(body) as Record<string, unknown>;
  return { confirmed: confirmed === true, acknowledged: Number(acknowledged), waitedOut: Number(waitedOut) };
}

/** What one login shows of the authority: its origin, its cookie's name, and its tokens' audience. */
async function termsOf(
  requests: Requests,
  node: string,
  user: ProofUser,
  families: readonly Family[],
): Promise<{ origin: string; cookieName: string; audiences: string[] }> {
  const claims: { iss: string; aud: string }[] = [];
  for (const family of families.filter(({ grant }) => grant === 'bearer')) {
    const held = await logInThrough(requests, node, family, user, node);
    claims.push(JSON.parse(Buffer.from(held.text.split('.')[1] ?? '', 'base64url').toString()));
    await held.logOut();
  }
  const origin = new URL(claims[0]?.iss ?? node).origin;
  const reply = await requests.send(
    'POST',
    addressAt(node, '/auth/login'),
    { 'content-type': 'application/json', origin },
    JSON.stringify({ email: user.email, password: user.password, transport: 'cookie' }),
  );
  const [cookieName = 'curfew_session'] = sessionCookie(reply);
  return { origin, cookieName, audiences: [...new Set(claims.map(({ aud }) => aud))] };
}
