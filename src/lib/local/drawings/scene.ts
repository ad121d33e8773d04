/** A picture's content as SVG: one part in the middle of a belt, others cut by the edge, something in the way. */
import { drawBelt } from './belt.ts';
import { shadesOf, grey, hsl } from './colours.ts';
import { between, chance, integer, pick, type Random } from './random.ts';
import { kinds, shapes, type Kind } from './shapes.ts';
import { element, path, rect } from './svg.ts';

/** Width and height of a picture in pixels. */
export const pictureSide = 192;

/** Width and height of the scene in the units it is drawn in. */
const side = 256;

interface Pose {
  x: number;
  y: number;
  /** In degrees. */
  turn: number;
  /** Of the part's own units; it is about 100 of them long. */
  scale: number;
}

interface Light {
  /** Where the shadows fall, in radians. */
  angle: number;
  /** Length of the shadows, and how dark they are. */
  height: number;
  strength: number;
  softness: number;
}

/** The same SVG for the same numbers. */
export function drawScene(kind: Kind, random: Random): string {
  const light: Light = {
    angle: between(random, 0, 2 * Math.PI),
    height: between(random, 2, 9),
    strength: between(random, 0.25, 0.6),
    softness: between(random, 1.2, 4),
  };
  const middle = side / 2;
  const pose: Pose = {
    x: middle + between(random, -20, 20),
    y: middle + between(random, -20, 20),
    turn: between(random, 0, 360),
    scale: between(random, 1.15, 1.75),
  };
  const belt = drawBelt(side, random);
  const bystanders = [...Array(integer(random, 0, 3)).keys()].map((index) =>
    drawPart(pick(random, kinds), bystanderPose(index, random), light, `other${index}`, random),
  );
  const part = drawPart(kind, pose, light, 'part', random);
  const cover = chance(random, 0.35) ? drawCover(pose, random) : '';
  const shade = chance(random, 0.3) ? drawShade(random) : '';
  const size = { width: pictureSide, height: pictureSide, viewBox: `0 0 ${side} ${side}` };
  return element(
    'svg',
    { xmlns: 'http://www.w3.org/2000/svg', ...size },
    shadowFilter(light) + belt + withShadow(bystanders.join('') + part + cover) + shade,
  );
}

/** Cut by the edge of the picture: the part that the label names is the one in the middle. */
function bystanderPose(index: number, random: Random): Pose {
  const angle = between(random, 0, 2 * Math.PI) + (index * 2 * Math.PI) / 3;
  const away = (side / 2) * between(random, 1.02, 1.3);
  const reach = away / Math.max(Math.abs(Math.cos(angle)), Math.abs(Math.sin(angle)));
  return {
    x: side / 2 + reach * Math.cos(angle),
    y: side / 2 + reach * Math.sin(angle),
    turn: between(random, 0, 360),
    scale: between(random, 0.9, 1.4),
  };
}

/** `id` keeps its gradient apart from those of other parts. */
function drawPart(kind: Kind, pose: Pose, light: Light, id: string, random: Random): string {
  const shades = shadesOf(kind.colour, random);
  // The light stays where it is however the part is turned; the gradient turns with the part.
  const towards = (light.angle * 180) / Math.PI - pose.turn;
  const gradient = element(
    'linearGradient',
    { id, gradientTransform: `rotate(${towards.toFixed(1)} 0.5 0.5)` },
    `<stop offset="0" stop-color="${shades.glow}"/><stop offset="0.5" stop-color="${shades.base}"/>` +
      `<stop offset="1" stop-color="${shades.shade}"/>`,
  );
  const drawn = shapes[kind.shape]({ ...shades, face: `url(#${id})` }, random);
  const tilt = between(random, 0.84, 1);
  const transform =
    `translate(${pose.x.toFixed(1)} ${pose.y.toFixed(1)}) ` +
    // Seen at a slant: narrower in one direction, whichever that is.
    `skewX(${between(random, -9, 9).toFixed(1)}) scale(1 ${tilt.toFixed(3)}) ` +
    `rotate(${pose.turn.toFixed(1)}) scale(${pose.scale.toFixed(3)})`;
  return gradient + element('g', { transform }, drawn);
}

/** All parts share a filter: it is the dearest step of a picture. */
function withShadow(drawn: string): string {
  return element('g', { filter: 'url(#shadow)' }, drawn);
}

function shadowFilter({ angle, height, strength, softness }: Light): string {
  const shadow = element('feDropShadow', {
    dx: height * Math.cos(angle),
    dy: height * Math.sin(angle),
    stdDeviation: softness,
    'flood-opacity': strength.toFixed(2),
  });
  return element(
    'filter',
    { id: 'shadow', filterUnits: 'userSpaceOnUse', x: 0, y: 0, width: side, height: side },
    shadow,
  );
}

/** Something over an end of the part: a cable, a slip of paper, a strip of tape. */
function drawCover({ x, y, scale }: Pose, random: Random): string {
  const angle = between(random, 0, 360);
  const away = scale * between(random, 26, 44);
  const length = side * 1.5;
  const cable = () => {
    const bow = between(random, -60, 60);
    const d = `M${-length / 2} ${away}Q0 ${away + bow / 4} ${length / 2} ${away + bow}`;
    const [colour, width] = [between(random, 10, 75), between(random, 4, 8)];
    const stroke = (lightness: number, thick: number) =>
      path(d, { fill: 'none', stroke: grey(lightness), 'stroke-width': thick });
    return stroke(colour - 12, width) + stroke(colour, width * 0.6);
  };
  const slip = () =>
    rect(-between(random, 14, 26), away - 8, between(random, 34, 56), between(random, 24, 44), {
      fill: hsl(between(random, 35, 60), between(random, 5, 30), between(random, 78, 92)),
      stroke: grey(50),
      'stroke-width': 0.8,
    });
  const tape = () =>
    rect(-length / 2, away, length, between(random, 9, 16), {
      fill: hsl(between(random, 30, 45), between(random, 15, 40), between(random, 55, 75)),
      'fill-opacity': 0.85,
    });
  const drawn = pick(random, [cable, slip, tape])();
  const transform = `translate(${x.toFixed(1)} ${y.toFixed(1)}) rotate(${angle.toFixed(1)})`;
  return element('g', { transform }, drawn);
}

/** The shadow of something above the belt, or the glare of a lamp. */
function drawShade(random: Random): string {
  const middle = side / 2;
  const [fill, opacity] = chance(random, 0.6)
    ? ['#000', between(random, 0.12, 0.28)]
    : ['#fff', between(random, 0.08, 0.16)];
  const offset = between(random, -120, 60);
  const transform = `rotate(${between(random, 0, 360).toFixed(1)} ${middle} ${middle})`;
  return rect(-middle, middle + offset, 4 * middle, between(random, 30, 110), {
    fill,
    'fill-opacity': opacity.toFixed(2),
    transform,
  });
}
