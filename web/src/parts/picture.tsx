import type { VNode } from 'preact';

/** Icons of 24 by 24, drawn with lines in the text's colour. They repeat the text, so screen readers skip them. */
const LINES = {
  computer: 'M4 5.5h16v10.5H4zM2.5 19.5h19',
  phone: 'M7.5 2.5h9v19h-9zM11 18.5h2',
  program: 'M3.5 4.5h17v15h-17zM7 9l3 3-3 3M12.5 15h4.5',
  check: 'M4.5 12.5l5 5 10-11',
} as const;

export function Picture({ of }: { of: keyof typeof LINES }): VNode {
  return (
    <svg
      class="picture"
      viewBox="0 0 24 24"
      aria-hidden="true"
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linejoin="round"
      stroke-linecap="round"
    >
      <path d={LINES[of]} />
    </svg>
  );
}
