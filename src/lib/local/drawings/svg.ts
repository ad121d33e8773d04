/** The few SVG elements that the pictures are drawn with, and what a shape made of them is. */
import type { Paint } from './colours.ts';
import type { Random } from './random.ts';

/** With one digit behind the point at most: a tenth of a pixel is finer than anything shown. */
export function n(value: number): string {
  return `${Math.round(value * 10) / 10}`;
}

type Attributes = Record<string, string | number>;

export function element(name: string, attributes: Attributes, children = ''): string {
  const text = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${typeof value === 'number' ? n(value) : value}"`)
    .join('');
  return children === '' ? `<${name}${text}/>` : `<${name}${text}>${children}</${name}>`;
}

export function path(d: string, attributes: Attributes): string {
  return element('path', { d, ...attributes });
}

export function circle(cx: number, cy: number, r: number, attributes: Attributes): string {
  return element('circle', { cx, cy, r, ...attributes });
}

export function ellipse(cx: number, cy: number, rx: number, ry: number, attributes: Attributes): string {
  return element('ellipse', { cx, cy, rx, ry, ...attributes });
}

/** With corners rounded by `r`. */
export function rect(x: number, y: number, width: number, height: number, attributes: Attributes): string {
  return element('rect', { x, y, width, height, ...attributes });
}

export function line(x1: number, y1: number, x2: number, y2: number, attributes: Attributes): string {
  return element('line', { x1, y1, x2, y2, ...attributes });
}

export type Point = readonly [x: number, y: number];

/** A closed polygon as path data. */
export function polygon(points: readonly Point[]): string {
  return `M${points.map(([x, y]) => `${n(x)} ${n(y)}`).join('L')}Z`;
}

/** A circle as path data: a hole in a path that is filled by the rule `evenodd`. */
export function circleData(cx: number, cy: number, r: number): string {
  return `M${n(cx - r)} ${n(cy)}a${n(r)} ${n(r)} 0 1 0 ${n(2 * r)} 0a${n(r)} ${n(r)} 0 1 0 ${n(-2 * r)} 0Z`;
}

/** At `angle` (radians) and distance `r` from the origin. */
export function polar(angle: number, r: number): Point {
  return [r * Math.cos(angle), r * Math.sin(angle)];
}

/** `random` decides what varies among parts of a kind: teeth, lengths, holes. */
export type DrawShape = (paint: Paint, random: Random) => string;
