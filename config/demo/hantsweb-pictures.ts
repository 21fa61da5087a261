import { crc32, deflateSync } from 'node:zlib';

const css = `body { margin: 0 auto; max-width: 62em; font: 82%/1.5 Verdana, Geneva, sans-serif; color: #222; background: #cfd8c8; }
#band { background: #1d5b3a url(/images/stripe.svg) repeat-x bottom; color: #fff; display: flex; justify-content: space-between; align-items: center; flex-wrap: wrap; }
#band span { padding: .5em 1em; font-weight: bold; }
#band img { display: block; }
#crumbs { background: #e9efe2; border-bottom: 1px solid #9db38a; padding: .4em 1em; }
#columns { background: #fff; display: flex; flex-wrap: wrap; }
#main { flex: 3 1 22em; padding: 0 1em 1.5em; min-width: 0; }
#side { flex: 1 1 14em; padding: 0 1em 1em; background: #f4f1df; border-left: 1px dotted #9a8f5a; overflow-wrap: anywhere; }
h1 { font: bold 1.7em Georgia, "Times New Roman", serif; color: #1d5b3a; border-bottom: 2px solid #c9a227; }
h2 { font: bold 1.15em Georgia, "Times New Roman", serif; color: #1d5b3a; }
a { color: #00458b; } a:visited { color: #5b2a6b; }
.strap { font-weight: bold; color: #6b4a00; }
.photo { float: right; max-width: 45%; height: auto; margin: 0 0 .5em 1em; border: 4px solid #e9efe2; }
ul.menu { list-style-image: url(/images/bullet.gif); line-height: 2; }
code { overflow-wrap: anywhere; }
table { border-collapse: collapse; font-size: .95em; } caption { text-align: left; }
th, td { border: 1px solid #b9b48f; padding: .2em .4em; text-align: left; vertical-align: top; }
input, textarea { font: inherit; max-width: 100%; box-sizing: border-box; }
#foot { background: #1d5b3a; color: #fff; padding: .5em 1em; font-size: .9em; } #foot a { color: #fff; }
`;

const band = `<svg xmlns="http://www.w3.org/2000/svg" width="230" height="56" viewBox="0 0 230 56">
<rect width="230" height="56" fill="#1d5b3a"/><path d="M0 46q40-22 80-6t75-2 75 4v14H0z" fill="#4f8a4b"/><path d="M0 54q50-16 100-4t130 3v3H0z" fill="#c9a227"/>
<text x="14" y="34" font-family="Georgia, serif" font-size="28" font-weight="bold" fill="#fff">Hantsweb</text></svg>`;

const stripe = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="3"><rect width="8" height="3" fill="#c9a227"/></svg>';

const walk = `<svg xmlns="http://www.w3.org/2000/svg" width="240" height="96" viewBox="0 0 240 96">
<rect width="240" height="96" fill="#e9efe2"/><path d="M0 70q60-30 120-8t120-20" fill="none" stroke="#7fa8c9" stroke-width="6"/>
<path d="M20 20q40 50 90 20t60 30l50-40" fill="none" stroke="#8a3324" stroke-width="3" stroke-dasharray="6 4"/></svg>`;

/** A GIF of 5 × 5 dots in one colour, in the fewest codes LZW allows: clear, 25 pixels with a clear before the table grows, end. */
function bullet(): Buffer {
  const codes = Array.from({ length: 25 }, (_, index) => (index % 2 === 0 ? [4, 1] : [1])).flat();
  const bits = [...codes, 5].flatMap(code => [code & 1, (code >> 1) & 1, (code >> 2) & 1]);
  const data = Array.from({ length: Math.ceil(bits.length / 8) }, (_, byte) =>
    bits.slice(byte * 8, byte * 8 + 8).reduce((sum, bit, place) => sum | (bit << place), 0),
  );
  const header = [...Buffer.from('GIF89a'), 5, 0, 5, 0, 0x81, 0, 0];
  const colours = [255, 255, 255, 0x1d, 0x5b, 0x3a, 0, 0, 0, 0, 0, 0];
  return Buffer.from([...header, ...colours, 0x2c, 0, 0, 0, 0, 5, 0, 5, 0, 0, 2, data.length, ...data, 0, 0x3b]);
}

/** A PNG of hills under a sky, drawn pixel by pixel. */
function hills(width = 240, height = 96): Buffer {
  const rows = Buffer.alloc((width * 3 + 1) * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) rows.set(colourAt(x, y, height), y * (width * 3 + 1) + 1 + x * 3);
  }
  const size = Buffer.alloc(13);
  size.writeUInt32BE(width, 0);
  size.writeUInt32BE(height, 4);
  size.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', size), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]);
}

function colourAt(x: number, y: number, height: number): [number, number, number] {
  const near = height * 0.72 + Math.sin(x / 37) * 12;
  const far = height * 0.5 + Math.sin(x / 23 + 2) * 9;
  if (y > near) return [86, 140 - Math.floor((y - near) / 2), 60];
  if (y > far) return [134, 170, 112];
  return [170 + Math.floor(y / 2), 205 + Math.floor(y / 4), 235];
}

function chunk(name: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name), data]);
  const frame = Buffer.alloc(body.length + 8);
  frame.writeUInt32BE(data.length, 0);
  frame.set(body, 4);
  frame.writeUInt32BE(crc32(body), body.length + 4);
  return frame;
}

/** The old server's styles and pictures, shared by all its pages. */
export const files: ReadonlyMap<string, { type: string; body: string | Buffer }> = new Map([
  ['/css/hantsweb.css', { type: 'text/css; charset=utf-8', body: css }],
  ['/images/band.svg', { type: 'image/svg+xml', body: band }],
  ['/images/stripe.svg', { type: 'image/svg+xml', body: stripe }],
  ['/images/walk.svg', { type: 'image/svg+xml', body: walk }],
  ['/images/bullet.gif', { type: 'image/gif', body: bullet() }],
  ['/images/hills.png', { type: 'image/png', body: hills() }],
]);
