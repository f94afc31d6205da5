/** Acts on the account or the session. */
type OfReason =
  | 'idle'
  | 'expired'
  | 'password_changed'
  | 'password_reset'
  | 'role_changed'
  | 'disabled'
  | 'deleted'
  | 'replaced'
  | 'replay';
const BY_REASON: ReadonlyMap<string, OfReason> = new Map([
  ['idle_timeout', 'idle'],
  ['absolute_timeout', 'expired'],
  ['password_changed', 'password_changed'],
  ['password_reset', 'password_reset'],
  ['role_changed', 'role_changed'],
  ['user_disabled', 'disabled'],
  ['user_deleted', 'deleted'],
  ['replaced_by_login', 'replaced'],
  ['renewed', 'replaced'],
  ['refresh_replay', 'replay'],
]);
/** A plain logout: whose it was. */
type OfActor = 'you' | 'other_device' | 'administrator' | 'service';
const BY_ACTOR: ReadonlyMap<string, OfActor> = new Map([
  ['self', 'you'],
  ['other_device', 'other_device'],
  ['administrator', 'administrator'],
  ['service', 'service'],
]);

/**
 * The name of the sentence in `web/languages` for how a session ended. An open page may be older than the server, so any text is
 * accepted.
 */
export function endedKey({ reason, by }: { reason: string; by: string }): OfReason | OfActor | 'unknown' {
  return BY_REASON.get(reason) ?? BY_ACTOR.get(by) ?? 'unknown';
}
