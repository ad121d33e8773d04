/** What draws a part: a function to SVG, centred on the origin and about 100 units long. */
import type { Paint } from '../colours.ts';
import type { Random } from '../random.ts';

/** `random` decides what varies among parts of a kind: teeth, lengths, holes. */
export type DrawShape = (paint: Paint, random: Random) => string;
