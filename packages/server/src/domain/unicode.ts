/*
 * Text from outside. A decoder that replaces invalid bytes by U+FFFD would make one text, and one password, of many: such bytes
 * are refused instead (RFC 3629 section 3, RFC 8259 section 8).
 */

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Decodes bytes, without a byte order mark (RFC 8259 section 8.1); null when they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}

/** Decodes percent-encoding; a percent sign without two digits stands for itself. Null when it is not UTF-8. */
export function decodePercent(text: string): string | null {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text.replace(/%(?![0-9a-f]{2})/gi, '%25'));
  } catch {
    return null;
  }
}

/** Returns the problem of a text, or null. NUL is the one character that PostgreSQL cannot store. */
function textFault(text: string): string | null {
  if (!text.isWellFormed()) return 'must be well-formed Unicode';
  return text.includes('\0') ? 'must not contain NUL' : null;
}

/** The path of the first invalid text in a JSON value, names of members included. */
export function jsonTextFault(value: unknown): { path: string[]; message: string } | null {
  // Not recursive: 64 KiB of brackets are deeper than the stack.
  const left: { path: string[]; value: unknown }[] = [{ path: [], value }];
  for (let next = left.pop(); next; next = left.pop()) {
    const { path, value: inner } = next;
    if (typeof inner === 'string') {
      const message = textFault(inner);
      if (message !== null) return { path, message };
    } else if (typeof inner === 'object' && inner !== null) {
      for (const [name, one] of Object.entries(inner)) {
        if (textFault(name) !== null) return { path, message: 'has a member whose name is not well-formed' };
        left.push({ path: [...path, name], value: one });
      }
    }
  }
  return null;
}
