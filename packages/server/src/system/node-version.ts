/** The oldest Node that runs the server: `engines` in package.json says the same. */
const OLDEST: readonly [major: number, minor: number] = [22, 18];

/** The sentence for a Node that is too old; null for one that is new enough. */
export function nodeFault(version: string): string | null {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return null;
  return `Curfew needs Node ${OLDEST.join('.')} or newer; this is ${version}.`;
}
