/** Has a sentence read out by a screen reader, without showing it: what changed on the page by itself. */
export function announce(sentence: string): void {
  const place = document.getElementById('said');
  if (!place) return;
  // A line of its own each time: the same sentence twice is said twice.
  const line = document.createElement('p');
  line.textContent = sentence;
  place.replaceChildren(line);
}
