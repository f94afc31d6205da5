import { PROBLEMS, type ProblemCode, problem } from '@curfew/protocol/errors';
import { expect, test } from 'vitest';

test('every code has a fitting status and its own sentence', () => {
  const titles = Object.values(PROBLEMS).map(({ title }) => title);
  expect(new Set(titles).size).toBe(titles.length);
  for (const code of Object.keys(PROBLEMS) as ProblemCode[]) {
    const made = problem(code);
    expect(made).toEqual({
      type: `urn:curfew:problem:${code}`,
      title: expect.stringMatching(/^[A-Z].*\.$/),
      status: expect.any(Number),
      code,
    });
    expect(made.status).toBeGreaterThanOrEqual(400);
    expect(made.status).toBeLessThan(600);
  }
});

test('a problem carries field, count and detail', () => {
  expect(problem('confirmation_required', { count: 7 })).toMatchObject({ count: 7, status: 409 });
  expect(problem('invalid_request', { field: 'email', detail: 'email: is required' })).toMatchObject({
    field: 'email',
    detail: 'email: is required',
  });
});
