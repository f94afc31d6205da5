/** The page with a new text between the two marks of a generated part. */
export function between(page: string, name: string, text: string): string {
  const begin = `<!-- ${name}:begin -->`;
  const from = page.indexOf(begin);
  const to = page.indexOf(`<!-- ${name}:end -->`);
  if (from < 0 || to < from) throw new Error(`the page lacks the marks of "${name}"`);
  return `${page.slice(0, from + begin.length)}\n${text}\n${page.slice(to)}`;
}
