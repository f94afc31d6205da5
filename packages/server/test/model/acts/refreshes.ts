/** Refresh tokens, fresh and spent. */
import { expect } from 'vitest';
import type { Of } from '../commands.ts';
import type { RefreshToken } from '../promised.ts';
import { issuedOf, pick, type Play } from '../play.ts';

const REFRESH_PATHS = { v1: '/v1/refresh', '001': '/auth/refresh', '003': '/api/v1/auth/refresh' } as const;

/** Spends a refresh token, or tries to. */
export async function refresh(play: Play, { token: choice, via }: Of<'refresh'>): Promise<void> {
  const { reference } = play;
  const isLive = (one: RefreshToken): boolean => one.spent === null && reference.isAlive(one.session);
  const token = pick(reference.refreshTokens, choice, isLive);
  if (token) await spendVia(play, token, via);
}

/** Uses a refresh token at a node and a family by turns. */
export async function spend(play: Play, token: RefreshToken, turn: number): Promise<void> {
  play.at = turn;
  await spendVia(play, token, (['v1', '001', '003'] as const)[turn % 3] ?? 'v1');
}

async function spendVia(play: Play, token: RefreshToken, via: keyof typeof REFRESH_PATHS): Promise<void> {
  const { reference } = play;
  const judged = reference.judgeRefresh(token);
  const answer = await play.call(
    'POST',
    REFRESH_PATHS[via],
    { body: { refresh_token: token.text } },
    judged.verdict === 'rotated' || judged.verdict === 'again' ? 200 : 401,
  );
  play.count(`refresh ${judged.verdict}`);
  if (judged.verdict !== 'rotated' && judged.verdict !== 'again') return;
  const issued = issuedOf(answer);
  const { access_token = '', refresh_token = '' } = issued;
  if (judged.verdict === 'rotated') {
    expect(refresh_token).not.toBe(token.text);
    play.compareLife(issued, reference.rotate(token, access_token, refresh_token));
    return;
  }
  expect(refresh_token).toBe(judged.successor.text);
  play.compareLife(issued, judged.access);
  // ES256 signs the same claims differently each time: another text of the same credential.
  if (access_token === judged.access.text) return;
  expect(judged.access.session.app).toBe('shop');
  reference.credentials.push({ ...judged.access, text: access_token });
}
