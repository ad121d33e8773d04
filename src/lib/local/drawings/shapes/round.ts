/** Parts seen from above that have a hole in the middle: gear, nut, washer, bearing. */
import { grey } from '../colours.ts';
import { between, chance, integer } from '../random.ts';
import { circle, circleData, path, polar, polygon, type Point, type DrawShape } from '../svg.ts';

export const gear: DrawShape = (paint, random) => {
  const teeth = integer(random, 9, 13);
  const root = between(random, 35, 38);
  const bore = between(random, 8, 12);
  const step = (2 * Math.PI) / teeth;
  const outline = [...Array(teeth).keys()].flatMap((tooth): Point[] => {
    const at = (share: number, r: number) => polar((tooth + share) * step, r);
    return [at(-0.3, root), at(-0.17, 49), at(0.17, 49), at(0.3, root)];
  });
  const holes = chance(random, 0.5) ? integer(random, 4, 6) : 0;
  const lightening = [...Array(holes).keys()].map((hole) => {
    const [x, y] = polar((hole * 2 * Math.PI) / holes, 23.5);
    return circleData(x, y, 5.5);
  });
  return (
    path(polygon(outline) + circleData(0, 0, bore) + lightening.join(''), {
      fill: paint.face,
      'fill-rule': 'evenodd',
      stroke: paint.edge,
      'stroke-width': 1.6,
      'stroke-linejoin': 'round',
    }) +
    circle(0, 0, root - 4, { fill: 'none', stroke: paint.dark, 'stroke-width': 2 }) +
    circle(0, 0, bore + 4, { fill: 'none', stroke: paint.light, 'stroke-width': 2.5 })
  );
};

export const nut: DrawShape = (paint, random) => {
  const hole = between(random, 18, 21);
  const corners = [...Array(6).keys()].map((corner) => polar((corner * Math.PI) / 3, 46));
  const thread = [4, 2].map((depth, index) =>
    circle(0, 0, hole + depth, {
      fill: 'none',
      stroke: index === 0 ? paint.light : paint.edge,
      'stroke-width': 1.8,
    }),
  );
  return (
    path(polygon(corners) + circleData(0, 0, hole), {
      fill: paint.face,
      'fill-rule': 'evenodd',
      stroke: paint.edge,
      'stroke-width': 2,
      'stroke-linejoin': 'round',
    }) +
    circle(0, 0, 37.5, { fill: 'none', stroke: paint.dark, 'stroke-width': 1.8 }) +
    thread.join('')
  );
};

export const washer: DrawShape = (paint, random) => {
  const hole = between(random, 17, 25);
  return (
    path(circleData(0, 0, 44) + circleData(0, 0, hole), {
      fill: paint.face,
      'fill-rule': 'evenodd',
      stroke: paint.edge,
      'stroke-width': 1.8,
    }) +
    circle(0, 0, 42, { fill: 'none', stroke: paint.light, 'stroke-width': 1.4 }) +
    circle(0, 0, hole + 2, { fill: 'none', stroke: paint.dark, 'stroke-width': 1.6 })
  );
};

export const bearing: DrawShape = (paint, random) => {
  const balls = integer(random, 8, 10);
  const ring = (outer: number, inner: number) =>
    path(circleData(0, 0, outer) + circleData(0, 0, inner), {
      fill: paint.face,
      'fill-rule': 'evenodd',
      stroke: paint.edge,
      'stroke-width': 1.5,
    });
  const gap = path(circleData(0, 0, 36) + circleData(0, 0, 22), { fill: grey(22), 'fill-rule': 'evenodd' });
  const steel = [...Array(balls).keys()].map((ball) => {
    const [x, y] = polar((ball * 2 * Math.PI) / balls, 28.8);
    return (
      circle(x, y, 6.2, { fill: grey(70), stroke: grey(30), 'stroke-width': 0.8 }) +
      circle(x - 1.8, y - 1.8, 2, { fill: grey(96) })
    );
  });
  return (
    gap +
    steel.join('') +
    ring(48, 35.5) +
    ring(22.5, 11) +
    circle(0, 0, 45.5, { fill: 'none', stroke: paint.light, 'stroke-width': 1.5 })
  );
};
