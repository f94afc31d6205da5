export { createClient } from './client.ts';
export { ProblemError } from './problem.ts';
export type {
  Client,
  ClientOptions,
  Credentials,
  LoggedOut,
  LogoutOptions,
  LogoutResult,
  CurrentSession,
  SessionsPage,
  OwnSession,
  LogoutAnswer,
  User,
} from './interface.ts';
