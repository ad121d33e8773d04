/** The colours of the parts: far enough apart to be told under warm, cold, bright and dim light. */
import { between, type Random } from './random.ts';

export const colours = ['red', 'yellow', 'green', 'blue', 'white', 'black'] as const;
export type Colour = (typeof colours)[number];

/** What a shape is painted with; each is an SVG colour or gradient. */
export interface Paint {
  /** Lit from the scene's light. */
  face: string;
  base: string;
  light: string;
  dark: string;
  /** Outlines, grooves and other fine lines. */
  edge: string;
}

type Range = readonly [low: number, high: number];

/** Hue in degrees, saturation and lightness in percent. */
const ranges: Record<Colour, { hue: Range; saturation: Range; lightness: Range; contrast: Range }> = {
  red: { hue: [-8, 6], saturation: [68, 88], lightness: [39, 49], contrast: [15, 16] },
  yellow: { hue: [42, 53], saturation: [85, 98], lightness: [48, 56], contrast: [18, 18] },
  green: { hue: [128, 152], saturation: [45, 72], lightness: [30, 41], contrast: [14, 13] },
  blue: { hue: [208, 226], saturation: [62, 85], lightness: [40, 52], contrast: [16, 16] },
  white: { hue: [30, 220], saturation: [0, 6], lightness: [88, 95], contrast: [6, 17] },
  black: { hue: [0, 240], saturation: [0, 7], lightness: [12, 18], contrast: [16, 7] },
};

export interface Shades extends Omit<Paint, 'face'> {
  /** For the gradient of `face`. */
  glow: string;
  shade: string;
}

/** One of the many reds, yellows, … */
export function shadesOf(colour: Colour, random: Random): Shades {
  const { hue, saturation, lightness, contrast } = ranges[colour];
  const h = between(random, ...hue);
  const s = between(random, ...saturation);
  const l = between(random, ...lightness);
  const [up, down] = contrast;
  return {
    base: hsl(h, s, l),
    light: hsl(h, s, l + up),
    dark: hsl(h, s, l - down),
    edge: hsl(h, s * 0.8, Math.max(3, l - 1.7 * down)),
    glow: hsl(h, s, l + up * 0.7),
    shade: hsl(h, s, l - down * 0.6),
  };
}

export function grey(lightness: number): string {
  return hsl(215, 6, lightness);
}

export function hsl(hue: number, saturation: number, lightness: number): string {
  const h = (hue + 360) % 360;
  return `hsl(${h.toFixed(0)},${saturation.toFixed(0)}%,${Math.min(100, Math.max(0, lightness)).toFixed(0)}%)`;
}
