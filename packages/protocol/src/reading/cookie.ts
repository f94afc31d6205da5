/**
 * The value of the cookie of that name: undefined where there is none. Null where there are several, because somebody has planted one
 * (cookie tossing): neither is picked.
 */
export function soleCookie(cookies: string | null | undefined, name: string): string | null | undefined {
  if (!cookies?.includes(name)) return undefined;
  const prefix = `${name}=`;
  const values = cookies
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(prefix));
  return values.length > 1 ? null : values[0]?.slice(prefix.length);
}
