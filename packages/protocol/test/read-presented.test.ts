import { expect, test } from 'vitest';
import { readPresented } from '../src/reading/read-presented.ts';

const PARSERS = { header: (text: string) => `header ${text}`, cookie: (text: string) => `cookie ${text}` };
const read = (
  authorization?: string | null,
  cookies?: string | null,
  name: string | null = 'session',
): unknown => readPresented(authorization, cookies, name, PARSERS);

test('a request without a credential presents none', () => {
  for (const absent of [undefined, null]) expect(read(absent, absent)).toEqual({ via: 'none' });
  expect(read(undefined, 'other=1')).toEqual({ via: 'none' });
  expect(read(undefined, 'session=1', null)).toEqual({ via: 'none' });
});

test('a cookie is parsed as a cookie; two of the name are no credential', () => {
  expect(read(undefined, 'a=b; session=1')).toEqual({ via: 'cookie', credential: 'cookie 1' });
  expect(read(undefined, 'session=1; session=1')).toEqual({ via: 'cookie', credential: null });
});

test.each(['Basic dXNlcjpwYXNz', 'Bearer', 'Bearer ', '', 'session=1', 'Bearer a, Bearer b'])(
  'beside the header "%s", which holds no credential, a cookie is ignored',
  (authorization) => {
    expect(read(authorization, 'session=1')).toEqual({ via: 'header', credential: null, text: '' });
  },
);

test('a bearer credential is parsed as a header, also beside a cookie', () => {
  expect(read('Bearer abc', 'session=1')).toEqual({
    via: 'header',
    credential: 'header abc',
    text: 'abc',
  });
});
