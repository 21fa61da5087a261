import type { Figure } from './figures.ts';

/** A bar: from nothing to the median, and across its end a line from the least to the most. */
export type Bar = { name: string; figure: Figure; ours: boolean };
export type Plot = { title: string; description: string; bars: readonly Bar[] };

const LEFT = 270;
const WIDTH = 900;
const RIGHT = 90;
const TOP = 64;
const ROW = 30;
const THICK = 18;

// What shows the picture may not say which of the two it is in, so it brings its own ground.
const style = `
  .ground { fill: #ffffff } text { fill: #0b0c0c; font: 14px system-ui, sans-serif } .title { font-size: 17px; font-weight: 600 }
  .tick { fill: #505a5f; font-size: 12px } .grid { stroke: #d8dcde } .spread { stroke: #0b0c0c; stroke-width: 1.5; fill: none }
  .bar { fill: #b1b4b6 } .ours { fill: #5694ca }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #16191c } text { fill: #f3f2f1 } .tick { fill: #b1b4b6 } .grid { stroke: #33393d } .spread { stroke: #f3f2f1 }
    .bar { fill: #626a6e } .ours { fill: #2b76b9 }
  }`;

/** Horizontal bars as one SVG file, in the order given. */
export function drawPlot({ title, description, bars }: Plot): string {
  const height = TOP + bars.length * ROW + 34;
  const most = Math.max(...bars.map(({ figure }) => figure.max));
  const step = stepFor(most);
  const end = Math.ceil(most / step) * step;
  const x = (value: number) => round(LEFT + (value / end) * (WIDTH - LEFT - RIGHT));
  const ticks = Array.from({ length: Math.round(end / step) + 1 }, (_, index) => index * step);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title desc">`,
    `<title id="title">${escaped(title)}</title>`,
    `<desc id="desc">${escaped(description)} ${bars.map(({ name, figure }) => escaped(`${name}: ${words(figure)}.`)).join(' ')}</desc>`,
    `<style>${style}\n</style>`,
    `<rect class="ground" width="${WIDTH}" height="${height}"/>`,
    `<text class="title" x="16" y="30">${escaped(title)}</text>`,
    ...ticks.map(
      value =>
        `<line class="grid" x1="${x(value)}" x2="${x(value)}" y1="${TOP - 8}" y2="${height - 28}"/>` +
        `<text class="tick" x="${x(value)}" y="${height - 10}" text-anchor="middle">${value}</text>`,
    ),
    ...bars.map((bar, index) => drawBar(bar, TOP + index * ROW, x)),
    '</svg>',
    '',
  ].join('\n');
}

function drawBar({ name, figure, ours }: Bar, top: number, x: (value: number) => number): string {
  const middle = top + THICK / 2;
  const [least, most] = [x(figure.min), x(figure.max)];
  const ends = `M${least} ${middle - 4}v8M${most} ${middle - 4}v8`;
  return [
    `<text x="${LEFT - 10}" y="${middle + 5}" text-anchor="end">${escaped(name)}</text>`,
    `<rect class="bar${ours ? ' ours' : ''}" x="${LEFT}" y="${top}" width="${round(x(figure.median) - LEFT)}" height="${THICK}"/>`,
    `<path class="spread" d="M${least} ${middle}H${most}${ends}"/>`,
    `<text x="${most + 8}" y="${middle + 5}">${shown(figure.median)}</text>`,
  ].join('');
}

/** One, two or five of a power of ten, so that there are between four and ten of them. */
function stepFor(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most / 4));
  return [5, 2, 1].map(times => times * power).find(step => most / step >= 4) ?? power;
}

const shown = (value: number) => (value < 100 ? value.toFixed(1) : value.toFixed(0));
const words = ({ median, min, max }: Figure) => `${shown(median)}, from ${shown(min)} to ${shown(max)}`;
const round = (value: number) => Math.round(value * 10) / 10;
const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
