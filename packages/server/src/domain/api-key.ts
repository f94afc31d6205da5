import { crc32 } from 'node:zlib';

/** The scopes of API keys. `admin` includes all others. */
export const KEY_SCOPES = ['verify', 'sessions:open', 'sessions:end', 'users', 'admin'] as const;
export type KeyScope = (typeof KEY_SCOPES)[number];

/** An API key as its holder may use it. */
export interface ApiKey {
  id: number;
  name: string;
  /** The only client whose sessions the key reaches; null: an operator's key. */
  clientId: string | null;
  scopes: readonly KeyScope[];
  expiresAt: Date | null;
}

/** How far an admitted caller reaches beyond the rule of its row. */
export interface Reach {
  /** The only client whose sessions the caller may open, end, list and introspect; null: of any. */
  clientId: string | null;
  /** Whether it may touch accounts with the role `admin`, and give that role. */
  admins: boolean;
  /** Whether it may create accounts. */
  users: boolean;
}

/** Of administrators' sessions, service keys and commands. */
export const EVERYTHING: Reach = { clientId: null, admins: true, users: true };

export const mayUse = ({ scopes }: Pick<ApiKey, 'scopes'>, scope: KeyScope): boolean =>
  scopes.includes(scope) || scopes.includes('admin');

export const reachOf = ({ clientId, scopes }: ApiKey): Reach => ({
  clientId,
  admins: scopes.includes('admin'),
  users: mayUse({ scopes }, 'users'),
});

/** Whether a caller reaches sessions of a client. */
export const reaches = (reach: Reach, clientId: string): boolean =>
  reach.clientId === null || reach.clientId === clientId;

/*
 * The text of a key: a prefix that says whose it is, 32 random characters (190 bits), and the CRC-32 of both in 6 more. With the
 * checksum a leak scanner knows a key from any other text, and a mistyped key is refused without a question to the database.
 */
const PREFIX = { client: 'curfew_ck_', operator: 'curfew_ok_' } as const;
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const RANDOM_CHARACTERS = 32;
const CHECKSUM_CHARACTERS = 6;
const KEY = new RegExp(`^curfew_[co]k_[0-9A-Za-z]{${RANDOM_CHARACTERS + CHECKSUM_CHARACTERS}}$`);

/** A new key's text. */
export function newKeyText(whose: keyof typeof PREFIX, randomBytes: (length: number) => Buffer): string {
  let text: string = PREFIX[whose];
  const length = text.length + RANDOM_CHARACTERS;
  // Bytes from the last, incomplete run of the digits would favour the first ones.
  const fair = 256 - (256 % DIGITS.length);
  while (text.length < length)
    for (const byte of randomBytes(length - text.length))
      if (byte < fair) text += DIGITS[byte % DIGITS.length];
  return text + checksumOf(text);
}

/** Whether a text is of the form of a key, with its checksum. */
export function isKeyText(text: string): boolean {
  return (
    KEY.test(text) && checksumOf(text.slice(0, -CHECKSUM_CHARACTERS)) === text.slice(-CHECKSUM_CHARACTERS)
  );
}

function checksumOf(text: string): string {
  let left = crc32(text);
  let digits = '';
  while (digits.length < CHECKSUM_CHARACTERS) {
    digits = DIGITS.charAt(left % DIGITS.length) + digits;
    left = Math.floor(left / DIGITS.length);
  }
  return digits;
}
