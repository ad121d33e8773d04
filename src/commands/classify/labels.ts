/** What both ways of `classify` show: how far it is, each label as it comes with --json, else a table at the end. */
import { once } from 'node:events';
import { PassedOverCount, passedOverLine } from '../../lib/base/files/image-names.ts';
import type { Rejection } from '../../lib/base/files/walk.ts';
import { printableLines } from '../../lib/base/printable.ts';
import { Progress } from '../../lib/base/report/progress.ts';
import { type Column, table } from '../../lib/base/report/table.ts';
import { type ClassifiedImage, countFiles, type LeftOut } from '../../lib/local/classify/classify.ts';
import { jsonText, rejectedLine, unknownColumn } from '../shared/lines.ts';
import type { Context } from '../shared/run.ts';

type Heard<Row> = { kind: 'classified'; result: Row } | LeftOut;

export interface TableOptions<Row> {
  /** By default as they came. */
  order?: (a: Row, b: Row) => number;
  /** Columns behind those that every label has. */
  more?: (rows: readonly Row[]) => Column<Row>[];
}

export class ShownLabels<Row extends ClassifiedImage> implements Disposable {
  readonly #context: Context;
  readonly #progress: Progress;
  readonly #began = performance.now();
  readonly #rows: Row[] = [];
  readonly #rejected: Rejection[] = [];
  readonly #passedOver = new PassedOverCount();
  #classified = 0;

  constructor(context: Context, files: Parameters<typeof countFiles>[0]) {
    const { interactive, say: line } = context;
    this.#context = context;
    this.#progress = new Progress({ label: 'classify', unit: 'files', interactive, line });
    // Beside the work: what cannot be walked is told by the work itself.
    void countFiles(files).then(
      (count) => count !== undefined && this.#progress.expect(count),
      () => undefined,
    );
  }

  get classified(): number {
    return this.#classified;
  }

  get rejected(): number {
    return this.#rejected.length;
  }

  /** A line about what is no image by name; empty where there was nothing. */
  get passedOver(): string {
    return passedOverLine(this.#passedOver.result);
  }

  get seconds(): number {
    return (performance.now() - this.#began) / 1000;
  }

  async hear(event: Heard<Row>): Promise<void> {
    if (event.kind === 'passed over') return this.#passedOver.add(event.what);
    this.#progress.advance(1);
    if (event.kind === 'rejected') {
      this.#rejected.push(event.rejection);
      return;
    }
    this.#classified++;
    if (this.#context.json) await writeText(jsonText(event.result));
    else this.#rows.push(event.result);
  }

  /** The table and the bad files. */
  async end({ order, more = () => [] }: TableOptions<Row> = {}): Promise<void> {
    this[Symbol.dispose]();
    const rows = order === undefined ? this.#rows : this.#rows.sort(order);
    if (rows.length > 0)
      await writeText(printableLines(table(rows, [...columns, ...unknownColumn(rows), ...more(rows)])));
    const lines = this.#rejected.map(rejectedLine);
    if (this.#context.json) lines.forEach(this.#context.say);
    else if (lines.length > 0) await writeText(printableLines(lines.join('\n')));
  }

  [Symbol.dispose](): void {
    this.#progress[Symbol.dispose]();
  }
}

const columns: Column<ClassifiedImage>[] = [
  { title: 'image', value: (r) => r.image },
  { title: 'category', value: (r) => r.category },
  { title: '%', value: (r) => r.confidence.toFixed(1), align: 'right' },
];

/** Waits while the reader of our output is slower than we are. */
async function writeText(text: string): Promise<void> {
  if (!process.stdout.write(`${text}\n`)) await once(process.stdout, 'drain');
}
