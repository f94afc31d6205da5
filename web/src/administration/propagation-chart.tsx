import type { Span } from '@curfew/protocol/wire/system-state';
import type { VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useTexts } from '../text/texts.ts';

const HEIGHT = 280;

interface PropagationChartProps {
  spans: readonly Span[];
  label: string;
  /** Of the two lines. */
  names: [half: string, most: string];
}

/** The times of logouts, as lines that update themselves. A table beside it has the same numbers. */
export function PropagationChart({ spans, label, names }: PropagationChartProps): VNode {
  const { tag } = useTexts();
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const data = dataOf(spans);
  const newest = useRef(data);
  newest.current = data;

  useEffect(() => {
    const box = place.current;
    if (!box) return;
    const draw = (): void => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsFor(box, tag, names), newest.current, box);
    };
    draw();
    const resized = new ResizeObserver(() =>
      plot.current?.setSize({ width: Math.max(200, box.clientWidth), height: HEIGHT }),
    );
    resized.observe(box);
    // A canvas knows no style sheet: new colours require a new drawing.
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const chosen = new MutationObserver(draw);
    chosen.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    dark.addEventListener('change', draw);
    return () => {
      resized.disconnect();
      chosen.disconnect();
      dark.removeEventListener('change', draw);
      plot.current?.destroy();
    };
  }, []);
  useEffect(() => plot.current?.setData(data), [spans]);

  return (
    <figure class="chart">
      <figcaption class="small quiet">
        {label}
        <span class="legend">
          <span class="half">{names[0]}</span>
          <span class="most">{names[1]}</span>
        </span>
      </figcaption>
      <div ref={place} role="img" aria-label={label} />
    </figure>
  );
}

function dataOf(spans: readonly Span[]): uPlot.AlignedData {
  return [
    spans.map(({ at }) => new Date(at).getTime() / 1000),
    spans.map(({ p50 }) => p50),
    spans.map(({ p99 }) => p99),
  ];
}

function optionsFor(box: HTMLElement, tag: string, names: [string, string]): uPlot.Options {
  const colour = (property: string): string => {
    // light-dark() resolves where it is used, not where it is stored.
    const probe = document.createElement('span');
    probe.style.color = `var(${property})`;
    box.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  };
  const [quiet, line, accent, bad] = ['--quiet', '--line', '--accent', '--bad'].map(colour) as [
    string,
    string,
    string,
    string,
  ];
  const font = `12px ${getComputedStyle(box).fontFamily}`;
  const axis = { stroke: quiet, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  // The last tick may be after the lines' end, where it would be cut off.
  const within = (plot: uPlot, ticks: number[]): (number | null)[] =>
    ticks.map((at) => (at <= (plot.scales['x']?.max ?? at) ? at : null));
  const clock = new Intl.DateTimeFormat(tag, { timeStyle: 'medium', hourCycle: 'h23' });
  const number = new Intl.NumberFormat(tag, { maximumSignificantDigits: 3 });
  const series = (label: string, stroke: string, dash?: number[]): uPlot.Series => ({
    label,
    stroke,
    width: 2,
    spanGaps: true,
    points: { show: true, size: 5, fill: stroke, stroke },
    ...(dash ? { dash } : {}),
  });
  return {
    width: Math.max(200, box.clientWidth),
    height: HEIGHT,
    padding: [12, 28, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_plot, _low, high) => [0, Math.max(1, high * 1.1)] } },
    axes: [
      {
        ...axis,
        space: 64,
        filter: within,
        grid: { ...axis.grid, filter: within },
        ticks: { ...axis.ticks, filter: within },
        values: (_plot, ticks: (number | null)[]) =>
          ticks.map((at) => (at === null ? '' : clock.format(at * 1000))),
      },
      { ...axis, size: 56, values: (_plot, ticks) => ticks.map((ms) => number.format(ms)) },
    ],
    series: [{}, series(names[0], accent), series(names[1], bad, [6, 4])],
  };
}
