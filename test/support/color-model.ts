/** A tiny real ONNX classifier for tests without test data: the mean of each colour channel decides red, green or blue. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';

export const colors = ['red', 'green', 'blue'] as const;
const rgb = { red: '#d01010', green: '#10d010', blue: '#1010d0', white: '#ffffff' };

/** Writes the model `name` and its labels.txt into `dir`; returns the model's path. Each name has other bytes. */
export function writeColorModel(dir: string, name = 'colors', labels: readonly string[] = colors): string {
  mkdirSync(dir, { recursive: true });
  const path = join(dir, `${name}.onnx`);
  writeFileSync(path, colorModel(name));
  writeFileSync(join(dir, 'labels.txt'), `${labels.join('\n')}\n`);
  return path;
}

/** The same, and it tells unknown objects: what is lighter than any of the colours. */
export function writeTellingColorModel(dir: string, name = 'telling'): string {
  const path = writeColorModel(dir, name);
  writeFileSync(path, colorModel(name, true));
  const confidence = { mean: 90, sd: 1 };
  const expected = { images: 3, unknown: 0, confidence, classes: colors.map(() => 1) };
  writeFileSync(join(dir, 'model.json'), JSON.stringify({ expected }));
  return path;
}

/** Image `n` of a colour: every one has other bytes. */
export async function colorImage(
  color: keyof typeof rgb,
  n: number,
  format: 'jpeg' | 'png' = 'png',
): Promise<Buffer> {
  return sharp({
    create: { width: 40 + (n % 50), height: 30 + Math.floor(n / 50), channels: 3, background: rgb[color] },
  })
    .toFormat(format)
    .toBuffer();
}

/**
 * GlobalAveragePool and Flatten over [N,3,224,224], written field by field as onnx.proto numbers them. `tells`: the mean of the
 * channels is the novelty, below 0 for each of the colours and 2.4 for white.
 */
function colorModel(name: string, tells = false): Buffer {
  const node = (op: string, input: string, output: string, ...attributes: Buffer[]) =>
    bytes(1, text(1, input), text(2, output), text(3, op), text(4, op), ...attributes);
  const axes = bytes(5, text(1, 'axes'), ...[1, 2, 3].map((axis) => int(8, axis)), int(20, 7));
  const keepdims = bytes(5, text(1, 'keepdims'), int(3, 0), int(20, 2));
  const novelty = 'visionscale.novelty';
  const value = (field: number, name: string, dims: (number | string)[]) =>
    bytes(
      field,
      text(1, name),
      bytes(
        2,
        bytes(
          1,
          int(1, 1),
          bytes(2, ...dims.map((d) => bytes(1, typeof d === 'number' ? int(1, d) : text(2, d)))),
        ),
      ),
    );
  const graph = bytes(
    7,
    node('GlobalAveragePool', 'input', 'pooled'),
    node('Flatten', 'pooled', 'scores'),
    ...(tells ? [node('ReduceMean', 'pooled', 'mean', axes, keepdims), node('Relu', 'mean', novelty)] : []),
    text(2, name),
    value(11, 'input', ['N', 3, 224, 224]),
    value(12, 'scores', ['N', 3]),
    ...(tells ? [value(12, novelty, ['N'])] : []),
  );
  return Buffer.concat([int(1, 8), graph, bytes(8, text(1, ''), int(2, 13))]);
}

function varint(n: number): Buffer {
  const out: number[] = [];
  for (; n > 127; n >>>= 7) out.push((n & 127) | 128);
  return Buffer.from([...out, n]);
}
const int = (field: number, n: number) => Buffer.concat([varint(field << 3), varint(n)]);
const bytes = (field: number, ...parts: Buffer[]) => {
  const body = Buffer.concat(parts);
  return Buffer.concat([varint((field << 3) | 2), varint(body.length), body]);
};
const text = (field: number, value: string) => bytes(field, Buffer.from(value));
