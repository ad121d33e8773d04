/** What holds and what leads: bracket, pipe elbow. */
import { between, chance, integer } from '../random.ts';
import { circle, circleData, path, rect, type DrawShape } from '../svg.ts';

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
