import type { Carrier, Tokens } from './carrier.ts';
import type { Kept } from './kept.ts';
import type { ProblemError } from './problem.ts';
import { createRenewal, type Holder, type Renewal, sendWithToken, tokensOf } from './tokens.ts';

/** In this page alone. */
function inMemory(): Holder {
  let tokens: Tokens | null = null;
  return { get: () => tokens, set: (next) => void (tokens = next) };
}

/** In localStorage, for all tabs. Read anew each time: another tab may have written. */
function inStorage(kept: Kept): Holder {
  return {
    get: () => kept.read<Tokens>('tokens'),
    set: (tokens) => kept.set('tokens', tokens && JSON.stringify(tokens)),
  };
}

export interface Bearer extends Carrier {
  /** Sends with tokens that lie elsewhere: those of a logout that the server has not been told. */
  readonly sendFor: (request: Request, holder: Holder) => Promise<Response>;
}

/** The credential as tokens in the `Authorization` header. */
export function createBearer(
  authority: string,
  kept: Kept,
  storage: 'memory' | 'local',
  onOver: (sid: string, problem: ProblemError) => void,
): Bearer {
  const own = storage === 'local' ? inStorage(kept) : inMemory();
  const renewal: Renewal = createRenewal(authority, kept, (holder, { session }, problem) => {
    if (holder === own) onOver(session.id, problem);
  });
  return {
    known: () => own.get()?.session ?? null,
    send: (request) => sendWithToken(request, renewal, own),
    sendFor: (request, holder) => sendWithToken(request, renewal, holder),
    take(issued) {
      if (issued.access_token) own.set(tokensOf(issued));
    },
    giveUp(sid) {
      const tokens = own.get();
      if (!tokens || (sid !== null && tokens.session.id !== sid)) return {};
      own.set(null);
      return { tokens };
    },
    async subprotocols() {
      let tokens = own.get();
      if (tokens && tokens.untilMs <= Date.now()) tokens = await renewal(own, tokens);
      return tokens ? [`curfew.token.${tokens.access}`] : [];
    },
  };
}
