export { createClient } from './client.ts';
export { ProblemError } from './problem.ts';
export type {
  Client,
  ClientOptions,
  Credentials,
  EndedBy,
  LoggedOut,
  LogoutOptions,
  LogoutResult,
  Session,
  SessionsPage,
  SessionView,
  Told,
  User,
} from './interface.ts';
