/** Packages: box, bottle, can. */
import { grey, hsl } from '../colours.ts';
import { between, chance, pick } from '../random.ts';
import { ellipse, line, path, polygon, rect, type Point, type DrawShape } from '../svg.ts';

/** A carton from above its corner: three faces, and tape over the lid. */
export const box: DrawShape = (paint, random) => {
  const height = between(random, 26, 40);
  const [far, right, near, left]: [Point, Point, Point, Point] = [
    [0, -24 - height / 2],
    [43, -height / 2],
    [0, 24 - height / 2],
    [-43, -height / 2],
  ];
  const down = ([x, y]: Point): Point => [x, y + height];
  const outline = { stroke: paint.edge, 'stroke-width': 1.8, 'stroke-linejoin': 'round' };
  const towards = ([ax, ay]: Point, [bx, by]: Point, share: number): Point => [
    ax + (bx - ax) * share,
    ay + (by - ay) * share,
  ];
  const tape = polygon([
    towards(far, right, 0.4),
    towards(far, right, 0.6),
    towards(left, near, 0.6),
    towards(left, near, 0.4),
  ]);
  return (
    path(polygon([left, near, down(near), down(left)]), { fill: paint.base, ...outline }) +
    path(polygon([near, right, down(right), down(near)]), { fill: paint.dark, ...outline }) +
    path(polygon([far, right, near, left]), { fill: paint.light, ...outline }) +
    path(tape, { fill: hsl(38, 45, 72), stroke: hsl(34, 35, 45), 'stroke-width': 0.8 }) +
    path(
      polygon(
        [
          towards(left, near, 0.14),
          towards(left, near, 0.5),
          down(towards(left, near, 0.5)),
          down(towards(left, near, 0.14)),
        ].map(([x, y], corner): Point => [x, corner < 2 ? y + height * 0.35 : y - height * 0.25]),
      ),
      { fill: grey(94), stroke: paint.edge, 'stroke-width': 0.8 },
    )
  );
};

/** Round shoulders, a narrow neck, a cap. */
export const bottle: DrawShape = (paint, random) => {
  const half = between(random, 17, 20);
  const shoulder = between(random, -14, -8);
  const neck = 6.5;
  const cap = pick(random, [grey(20), grey(88), grey(60)]);
  const labelled = chance(random, 0.6);
  const label =
    rect(-half + 0.8, 8, 2 * half - 1.6, 22, { fill: grey(92), stroke: paint.edge, 'stroke-width': 0.8 }) +
    line(-half + 6, 15, half - 6, 15, { stroke: paint.base, 'stroke-width': 3 }) +
    line(-half + 6, 22, half - 12, 22, { stroke: grey(45), 'stroke-width': 1.6 });
  return (
    path(
      `M${-neck} -38V-30Q${-neck} -24 ${-half + 3} ${shoulder - 5}Q${-half} ${shoulder} ${-half} ${shoulder + 5}` +
        `V44Q${-half} 49 ${-half + 5} 49H${half - 5}Q${half} 49 ${half} 44` +
        `V${shoulder + 5}Q${half} ${shoulder} ${half - 3} ${shoulder - 5}Q${neck} -24 ${neck} -30V-38Z`,
      { fill: paint.face, stroke: paint.edge, 'stroke-width': 1.8, 'stroke-linejoin': 'round' },
    ) +
    (labelled ? label : '') +
    line(-half + 5, shoulder + 8, -half + 5, 42, {
      stroke: paint.light,
      'stroke-width': 3.5,
      'stroke-linecap': 'round',
      'stroke-opacity': labelled ? 0.6 : 0.9,
    }) +
    rect(-neck - 2.5, -49, 2 * neck + 5, 13, { rx: 2, fill: cap, stroke: grey(15), 'stroke-width': 1.2 })
  );
};

/** A drinks can from slightly above: the lid with its tab, rims of steel. */
export const can: DrawShape = (paint, random) => {
  const half = between(random, 24, 28);
  const tilt = between(random, 8, 11);
  const [top, bottom] = [-34, 36];
  const body = `M${-half} ${top}V${bottom}A${half} ${tilt} 0 0 0 ${half} ${bottom}V${top}Z`;
  const band = (y: number, height: number, fill: string) =>
    path(
      `M${-half} ${y}A${half} ${tilt} 0 0 0 ${half} ${y}v${height}A${half} ${tilt} 0 0 1 ${-half} ${y + height}Z`,
      { fill },
    );
  return (
    path(body, { fill: paint.face, stroke: paint.edge, 'stroke-width': 1.8 }) +
    rect(-half + 1, top, half * 0.3, bottom - top + 4, { fill: paint.dark, 'fill-opacity': 0.55 }) +
    rect(half * 0.62, top, half * 0.36, bottom - top + 4, { fill: paint.dark, 'fill-opacity': 0.55 }) +
    rect(-half * 0.35, top, half * 0.28, bottom - top + 8, { fill: paint.light, 'fill-opacity': 0.75 }) +
    (chance(random, 0.5) ? band(between(random, -14, 8), 7, paint.light) : '') +
    band(bottom - 3, 3, grey(70)) +
    ellipse(0, top, half, tilt, { fill: grey(80), stroke: grey(35), 'stroke-width': 1.6 }) +
    ellipse(0, top + 0.5, half * 0.82, tilt * 0.76, { fill: grey(66), stroke: grey(50), 'stroke-width': 1 }) +
    ellipse(2, top + 1, half * 0.28, tilt * 0.3, { fill: grey(86), stroke: grey(40), 'stroke-width': 1 })
  );
};
