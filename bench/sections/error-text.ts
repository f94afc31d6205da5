/** Each kind of failed answer with its number, as a reason to void the figure. */
export function describeErrors(errors: Record<string, number>): string[] {
  return Object.entries(errors).map(([status, count]) => `${count} answers: ${status}`);
}
