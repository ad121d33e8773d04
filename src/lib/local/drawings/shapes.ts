/** The kinds of parts, and the labels: `<colour> <shape>`. */
import { colours, type Colour } from './colours.ts';
import { bolt, bracket, elbow, screwdriver, spring } from './shapes/hardware.ts';
import { bottle, box, can } from './shapes/packages.ts';
import { bearing, gear, nut, washer } from './shapes/round.ts';
import type { DrawShape } from './svg.ts';

export const shapes = {
  bearing,
  bolt,
  bottle,
  box,
  bracket,
  can,
  gear,
  nut,
  'pipe elbow': elbow,
  screwdriver,
  spring,
  washer,
} as const satisfies Record<string, DrawShape>;

export type Shape = keyof typeof shapes;

export interface Kind {
  colour: Colour;
  shape: Shape;
}

export const shapeNames = Object.keys(shapes) as Shape[];

/** Every colour of every shape. */
export const kinds: readonly Kind[] = colours.flatMap((colour) =>
  shapeNames.map((shape) => ({ colour, shape })),
);

/** Also the name of its folder. */
export function labelOf({ colour, shape }: Kind): string {
  return `${colour} ${shape}`;
}
