/** Parts that join, hold and lead, lying on their side: bolt, screwdriver, spring, bracket, pipe elbow. */
import { grey } from '../colours.ts';
import { between, chance, integer } from '../random.ts';
import { circle, circleData, type DrawShape, ellipse, line, path, polygon, rect } from '../svg.ts';

export const bolt: DrawShape = (paint, random) => {
  const half = between(random, 8.5, 11);
  const smooth = between(random, -18, -6);
  const end = between(random, 42, 49);
  const threads: string[] = [];
  for (let x = smooth; x < end - 5; x += 5) {
    threads.push(
      line(x, -half, x + 3, half, { stroke: paint.edge, 'stroke-width': 1.7 }),
      line(x + 2.2, -half, x + 5.2, half, { stroke: paint.light, 'stroke-width': 1.2 }),
    );
  }
  const outline = { stroke: paint.edge, 'stroke-width': 1.7, 'stroke-linejoin': 'round' };
  return (
    path(
      polygon([
        [-30, -half],
        [end - 4, -half],
        [end, -half + 4],
        [end, half - 4],
        [end - 4, half],
        [-30, half],
      ]),
      { fill: paint.face, ...outline },
    ) +
    threads.join('') +
    path(
      polygon([
        [-45, -24],
        [-30, -26],
        [-30, 26],
        [-45, 24],
        [-49, 18],
        [-49, -18],
      ]),
      { fill: paint.face, ...outline },
    ) +
    line(-49, -11, -30, -11.5, { stroke: paint.dark, 'stroke-width': 2 }) +
    line(-49, 11, -30, 11.5, { stroke: paint.dark, 'stroke-width': 2 }) +
    rect(-30, -half - 5, 4, 2 * half + 10, { rx: 1, fill: paint.base, ...outline })
  );
};

export const screwdriver: DrawShape = (paint, random) => {
  const half = between(random, 9.5, 12);
  const shaft = between(random, 2.6, 3.6);
  const flutes = [-0.5, 0, 0.5].map((share) =>
    line(-42, share * half, -10, share * half, {
      stroke: share === 0 ? paint.light : paint.dark,
      'stroke-width': 2.4,
      'stroke-linecap': 'round',
    }),
  );
  const blade = polygon([
    [34, -shaft],
    [41, -shaft - 2.4],
    [49, -shaft - 1],
    [49, shaft + 1],
    [41, shaft + 2.4],
    [34, shaft],
  ]);
  return (
    rect(0, -shaft, 36, 2 * shaft, { fill: grey(66), stroke: grey(34), 'stroke-width': 1 }) +
    line(0, -shaft * 0.3, 36, -shaft * 0.3, { stroke: grey(90), 'stroke-width': 1.2 }) +
    path(blade, { fill: grey(70), stroke: grey(34), 'stroke-width': 1 }) +
    path(
      `M-50 ${-half + 4}Q-50 ${-half} -45 ${-half}H-14Q-9 ${-half} -7 -6H1Q3.500 -6 3.500 -3V3Q3.500 6 1 6H-7Q-9 ${half} -14 ${half}H-45Q-50 ${half} -50 ${half - 4}Z`,
      { fill: paint.face, stroke: paint.edge, 'stroke-width': 1.7 },
    ) +
    flutes.join('')
  );
};

export const spring: DrawShape = (paint, random) => {
  const coils = integer(random, 6, 8);
  const radius = between(random, 17, 21);
  const pitch = 84 / coils;
  const wire = between(random, 4.6, 5.6);
  const wires = (back: boolean): string =>
    [...Array(back ? coils : coils + 1).keys()]
      .map((coil) => {
        const x = -42 + coil * pitch;
        const [from, to] = back ? [radius, -radius] : [-radius, radius];
        const x1 = back ? x + pitch * 0.22 : x - pitch * 0.22;
        const x2 = back ? x + pitch * 0.78 : x + pitch * 0.22;
        const stroke = (colour: string, width: number) =>
          line(x1, from, x2, to, { stroke: colour, 'stroke-width': width, 'stroke-linecap': 'round' });
        if (back) return stroke(paint.edge, wire + 1.6) + stroke(paint.dark, wire - 0.6);
        return stroke(paint.edge, wire + 2) + stroke(paint.base, wire) + stroke(paint.light, wire * 0.3);
      })
      .join('');
  const loop = chance(random, 0.4)
    ? ellipse(-46, -radius + 4, 3, 6, { fill: 'none', stroke: paint.base, 'stroke-width': wire - 1 })
    : '';
  return wires(true) + loop + wires(false);
};

/** An angle with sharp outer edges and round holes along both legs. */
export const bracket: DrawShape = (paint, random) => {
  const width = between(random, 25, 30);
  const leg = between(random, 72, 86);
  const holes = integer(random, 2, 3);
  const [left, bottom] = [-40, 40];
  const along = [...Array(holes).keys()].map((hole) => width + ((leg - width) * (hole + 0.5)) / holes);
  const middle = width / 2;
  const hole = 5.2;
  const positions = along.flatMap((at): [number, number][] => [
    [left + middle, bottom - at],
    [left + at, bottom - middle],
  ]);
  const outline =
    `M${left} ${bottom}V${bottom - leg}q0 -3 3 -3H${left + width - 3}q3 0 3 3` +
    `V${bottom - width - 6}q0 6 6 6H${left + leg}q3 0 3 3V${bottom - 3}q0 3 -3 3Z`;
  const brace = chance(random, 0.4)
    ? path(`M${left + 4} ${bottom - leg + 8}V${bottom - 4}H${left + leg - 8}`, {
        fill: 'none',
        stroke: paint.dark,
        'stroke-width': 2,
      })
    : '';
  return (
    path(outline + positions.map(([x, y]) => circleData(x, y, hole)).join(''), {
      fill: paint.face,
      'fill-rule': 'evenodd',
      stroke: paint.edge,
      'stroke-width': 1.8,
      'stroke-linejoin': 'round',
    }) +
    brace +
    positions
      .map(([x, y]) => circle(x, y, hole + 1.6, { fill: 'none', stroke: paint.light, 'stroke-width': 1.2 }))
      .join('')
  );
};

/** A quarter of a bent tube with a collar at each end. */
export const elbow: DrawShape = (paint, random) => {
  const half = between(random, 14, 17);
  const bend = `M-28 44V20Q-28 -22 14 -22H40`;
  const tube = [
    [paint.edge, 2 * half + 3.4],
    [paint.dark, 2 * half],
    [paint.base, 2 * half * 0.74],
    [paint.light, 2 * half * 0.22],
  ] as const;
  const collar = { fill: paint.face, stroke: paint.edge, 'stroke-width': 1.7, rx: 2 };
  const reach = half + 5;
  return (
    tube.map(([stroke, width]) => path(bend, { fill: 'none', stroke, 'stroke-width': width })).join('') +
    rect(-28 - reach, 33, 2 * reach, 13, collar) +
    rect(33, -22 - reach, 13, 2 * reach, collar) +
    rect(-28 - reach + 3, 36, 5, 7, { fill: paint.light, rx: 2 }) +
    rect(36, -22 - reach + 3, 7, 5, { fill: paint.light, rx: 2 })
  );
};
