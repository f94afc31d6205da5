/* The addresses of new accounts. Earlier ones stay as they are, and are found by their own spelling. */

/**
 * Invisible characters, and those that change how others look: controls, formats (zero width, direction), fillers, selectors, and
 * decoders' replacement. Two addresses that look alike would be two accounts.
 */
const UNSEEN = /[\p{C}\p{Default_Ignorable_Code_Point}\u2028\u2029\ufffd]/u;

/** One spelling for composed and decomposed characters (Unicode Normalization Form C, RFC 6532 section 3.1). */
export const composed = (address: string): string => address.normalize('NFC');

export const hasUnseen = (address: string): boolean => UNSEEN.test(address);
