/** Chooses one of the available languages: the requested one, then by Accept-Language (RFC 9110 section 12.5.4). */
export function chooseLanguage<Name extends string>(
  available: readonly Name[],
  asked: readonly (string | null | undefined)[],
  acceptLanguage: string | null | undefined,
): Name | null {
  for (const one of asked) {
    const found = available.find((name) => name === one?.toLowerCase());
    if (found !== undefined) return found;
  }
  for (const range of rangesOf(acceptLanguage ?? '')) {
    const found =
      available.find((name) => name.toLowerCase() === range) ??
      available.find((name) => name.toLowerCase() === range.split('-', 1)[0]);
    if (found !== undefined) return found;
  }
  return null;
}

/** The ranges of an Accept-Language header, best first, lower case. */
function rangesOf(header: string): string[] {
  return header
    .slice(0, 1000)
    .split(',')
    .map((item) => {
      const [range = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
      const quality = parameters.find((one) => one.startsWith('q='))?.slice(2);
      return { range, quality: quality === undefined ? 1 : Number(quality) };
    })
    .filter(
      ({ range, quality }) => /^[a-z]{1,8}(-[a-z0-9]{1,8})*$/.test(range) && quality > 0 && quality <= 1,
    )
    .toSorted((a, b) => b.quality - a.quality)
    .map(({ range }) => range);
}
