/* The problems that every endpoint of the administration can answer. */

export const READ_PROBLEMS = [
  'not_authenticated',
  'forbidden',
  'insufficient_scope',
  'too_many_invalid_keys',
  'wrong_audience',
  'unavailable',
] as const;
export const WRITE_PROBLEMS = [
  ...READ_PROBLEMS,
  'invalid_request',
  'csrf_failed',
  'login_too_old',
  'too_large',
  'unsupported_media_type',
] as const;
