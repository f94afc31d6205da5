/** For a service that this machine lacks: says loudly what is skipped, and fails where nothing may be missing. */

/** Returns `found`. When there is nothing, prints what is skipped, or throws with `REQUIRE_SERVICES=1` or `CI` set. */
export function requireService<T>(name: string, found: T | undefined, remedy: string): T | undefined {
  if (found !== undefined) return found;
  const message = `${name} not found: ${remedy}`;
  if (servicesRequired()) throw new Error(message);
  process.stderr.write(`\n*** TESTS SKIPPED *** ${message}\n\n`);
  return undefined;
}

/** Whether a missing service is a failure. */
function servicesRequired(): boolean {
  const isSet = (name: string): boolean => !['', '0', 'false', undefined].includes(process.env[name]);
  return isSet('REQUIRE_SERVICES') || isSet('CI');
}
