/** The belts that the parts lie on: colour, texture, seams, stains. */
import { grey, hsl } from './colours.ts';
import { between, chance, integer, pick, type Random } from './random.ts';
import { circle, element, ellipse, line, path, rect } from './svg.ts';

/** Hue, saturation and lightness; none as saturated as a part, so that every part is seen on every belt. */
const tones = [
  [215, 5, 34], // rubber
  [30, 6, 46], // worn rubber
  [150, 16, 40], // green PVC
  [208, 20, 46], // blue for food
  [45, 12, 66], // canvas
  [210, 4, 72], // light plastic
  [25, 22, 38], // leather brown
] as const;

type Tone = readonly [hue: number, saturation: number, lightness: number];
/** The content of a tile, and its size. */
type Texture = (tone: Tone, random: Random) => { tile: string; width: number; height: number };

const ribs: Texture = ([h, s, l], random) => {
  const width = between(random, 9, 22);
  const tile = rect(0, 0, 2, 30, { fill: hsl(h, s, l - 9) }) + rect(2, 0, 2, 30, { fill: hsl(h, s, l + 7) });
  return { tile, width, height: 30 };
};

const weave: Texture = ([h, s, l], random) => {
  const side = between(random, 5, 9);
  const half = side / 2;
  const dark = { fill: hsl(h, s, l - 6) };
  return {
    tile: rect(0, 0, half, half, dark) + rect(half, half, half, half, dark),
    width: side,
    height: side,
  };
};

const modules: Texture = ([h, s, l], random) => {
  const width = between(random, 46, 80);
  const height = between(random, 24, 40);
  const seam = { stroke: hsl(h, s, l - 14), 'stroke-width': 2 };
  const tile =
    line(0, 0, width, 0, seam) +
    line(0, height / 2, width, height / 2, seam) +
    line(0, 0, 0, height / 2, seam) +
    line(width / 2, height / 2, width / 2, height, seam);
  return { tile, width, height };
};

const dimples: Texture = ([h, s, l], random) => {
  const side = between(random, 10, 18);
  const r = side * 0.22;
  return {
    tile:
      circle(side / 2, side / 2, r, { fill: hsl(h, s, l - 10) }) +
      circle(side / 2 + 1, side / 2 + 1, r * 0.7, { fill: hsl(h, s, l + 6) }),
    width: side,
    height: side,
  };
};

const chevrons: Texture = ([h, s, l], random) => {
  const side = between(random, 26, 44);
  const d = `M0 ${side * 0.6}L${side / 2} ${side * 0.2}L${side} ${side * 0.6}`;
  return {
    tile: path(d, { fill: 'none', stroke: hsl(h, s, l - 9), 'stroke-width': 5 }),
    width: side,
    height: side * 0.8,
  };
};

const plain: Texture = () => ({ tile: '', width: 32, height: 32 });

const textures: readonly Texture[] = [ribs, weave, modules, dimples, chevrons, plain];

/** Covers the square from 0 to `side`. Uses the ids `belt` and `spot`. */
export function drawBelt(side: number, random: Random): string {
  const [hue, saturation, lightness] = pick(random, tones);
  const tone: Tone = [
    hue + between(random, -8, 8),
    saturation * between(random, 0.7, 1.1),
    lightness + between(random, -7, 7),
  ];
  const { tile, width, height } = pick(random, textures)(tone, random);
  const turn = pick(random, [0, 90, between(random, 0, 180)]);
  const pattern = element(
    'pattern',
    {
      id: 'belt',
      width,
      height,
      patternUnits: 'userSpaceOnUse',
      patternTransform: `rotate(${turn.toFixed(1)})`,
    },
    rect(0, 0, width + 1, height + 1, { fill: hsl(...tone) }) + tile,
  );
  const whole = (fill: string) => rect(0, 0, side, side, { fill });
  return element('defs', {}, pattern) + whole(hsl(...tone)) + whole('url(#belt)') + marks(side, tone, random);
}

/** Scratches, stains, crumbs, now and then the belt's rim. */
function marks(side: number, [h, s, l]: Tone, random: Random): string {
  const anywhere = () => between(random, 0, side);
  const parts: string[] = [];
  for (let count = integer(random, 0, 3); count > 0; count--) {
    parts.push(
      ellipse(anywhere(), anywhere(), between(random, 8, 40), between(random, 6, 24), {
        fill: hsl(h, s, l - 12),
        'fill-opacity': 0.25,
      }),
    );
  }
  for (let count = integer(random, 0, 6); count > 0; count--) {
    const [x, y] = [anywhere(), anywhere()];
    parts.push(
      line(x, y, x + between(random, -50, 50), y + between(random, -50, 50), {
        stroke: hsl(h, s, l + between(random, -14, 14)),
        'stroke-width': between(random, 0.5, 1.6),
        'stroke-opacity': 0.7,
      }),
    );
  }
  for (let count = integer(random, 0, 14); count > 0; count--) {
    parts.push(
      circle(anywhere(), anywhere(), between(random, 0.6, 2), { fill: grey(between(random, 15, 80)) }),
    );
  }
  if (chance(random, 0.25)) parts.push(rim(side, random));
  return parts.join('');
}

/** Where the belt ends: a rail along one edge of the picture. */
function rim(side: number, random: Random): string {
  const width = between(random, 14, 34);
  const lightness = between(random, 45, 78);
  const rail =
    rect(0, 0, side, width, { fill: grey(lightness) }) +
    rect(0, width - 3, side, 3, { fill: grey(lightness - 28) }) +
    rect(0, 2, side, 3, { fill: grey(lightness + 12) });
  const turn = 90 * integer(random, 0, 3);
  return element('g', { transform: `rotate(${turn} ${side / 2} ${side / 2})` }, rail);
}
