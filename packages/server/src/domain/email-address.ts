/* Addresses as new accounts have them. What was stored before stays as it is, and is found by its own spelling. */

/**
 * Characters that cannot be seen, or change how others are: controls, formats (zero width, direction), fillers and
 * selectors, and what a decoder puts for what it cannot read. Two addresses that look alike would be two accounts.
 */
const UNSEEN = /[\p{C}\p{Default_Ignorable_Code_Point}\u2028\u2029\ufffd]/u;

/** One spelling for composed and decomposed characters (Unicode Normalization Form C, RFC 6532 section 3.1). */
export const composed = (address: string): string => address.normalize('NFC');

export const hasUnseen = (address: string): boolean => UNSEEN.test(address);
