import type { Carrier, Tokens } from './carrier.ts';
import type { Kept } from './kept.ts';
import type { ProblemError } from './problem.ts';
import { createRenewal, freshTokens, type Holder, type Renew, sendWithToken, tokensOf } from './renewal.ts';

interface Bearer extends Carrier {
  /** Sends with the tokens of a logout that the server has not confirmed yet. */
  readonly sendFor: (request: Request, holder: Holder) => Promise<Response>;
}

/** The credential as tokens in the `Authorization` header. @param shared where tabs share them, if they do */
export function createBearer(
  at: (path: string) => string,
  kept: Kept,
  shared: Kept | null,
  onOver: (sid: string, problem: ProblemError) => void,
): Bearer {
  let memory: Tokens | null = null;
  const own: Holder = {
    // Read each time: another tab may have written.
    get: () => (shared ? shared.read('tokens') : memory),
    set(tokens) {
      memory = tokens;
      shared?.set('tokens', tokens && JSON.stringify(tokens));
    },
  };
  const renewal: Renew = createRenewal(at, kept, (holder, { session }, problem) => {
    if (holder === own) onOver(session.id, problem);
  });
  const sendFor = (request: Request, holder: Holder): Promise<Response> =>
    sendWithToken(request, renewal, holder);
  return {
    known: () => own.get()?.session ?? null,
    send: (request) => sendFor(request, own),
    sendFor,
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
      const tokens = await freshTokens(renewal, own);
      return tokens ? [`curfew.token.${tokens.access}`] : [];
    },
  };
}
