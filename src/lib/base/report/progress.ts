/** Progress of long work on stderr: a bar on a terminal, a plain line now and then elsewhere. */
import { MultiBar, SingleBar } from 'cli-progress';
import { barsShown } from './above-bars.ts';
import { formatBytes } from './table.ts';

export interface ProgressOptions {
  label: string;
  /** What is counted: images, keys. */
  unit: string;
  interactive: boolean;
  /** Where plain lines go. */
  line: (text: string) => void;
}

/** How often a plain line is written, in milliseconds: of the whole, and of the partitions. */
const lineEvery = 2000;
const partitionLineEvery = 1000;

export class Progress implements Disposable {
  readonly #options: ProgressOptions;
  readonly #bar: SingleBar | undefined;
  #shown: Disposable | undefined;
  readonly #began = performance.now();
  #total = 0;
  #done = 0;
  #bytes = 0;
  #lastLine = performance.now();

  constructor(options: ProgressOptions) {
    this.#options = options;
    if (!options.interactive) return;
    this.#bar = new SingleBar({
      format: `${options.label} {bar} {value}/{total} ${options.unit}  {rate}  {eta_formatted} left`,
      barsize: 30,
      hideCursor: true,
      stream: process.stderr,
      etaBuffer: 100,
      forceRedraw: true,
    });
    this.#bar.start(0, 0, { rate: '' });
    this.#shown = barsShown(aboveBar);
  }

  /** How much there is to do, as far as is known. */
  expect(total: number): void {
    this.#total = total;
    this.#bar?.setTotal(total);
  }

  advance(count: number, bytes = 0): void {
    this.#done += count;
    this.#bytes += bytes;
    this.#bar?.update(this.#done, { rate: this.#rate() });
    if (this.#bar || performance.now() - this.#lastLine < lineEvery) return;
    this.#lastLine = performance.now();
    const { label, unit, line } = this.#options;
    line(`${label}: ${this.#done} of ${this.#total} ${unit}, ${this.#rate()}`);
  }

  [Symbol.dispose](): void {
    if (this.#bar === undefined) return;
    this.#bar.stop();
    this.#shown?.[Symbol.dispose]();
  }

  #rate(): string {
    const seconds = (performance.now() - this.#began) / 1000;
    if (seconds < 0.1) return '';
    const each = `${(this.#done / seconds).toFixed(0)}/s`;
    return this.#bytes > 0 ? `${each}, ${formatBytes(this.#bytes / seconds)}/s` : each;
  }
}

/** The bar is drawn anew at its next turn, where the cursor is; when it ends, it returns to where that was saved. */
function aboveBar(lines: string): void {
  process.stderr.write(`\r\u001b[K${lines}\u001b7`);
}

/** The partitions' progress side by side. */
export class PartitionBars implements Disposable {
  readonly #bars: MultiBar | undefined;
  #shown: Disposable | undefined;
  readonly #bar = new Map<number, SingleBar>();
  readonly #counts: string[] = [];
  readonly #line: (text: string) => void;
  #told = performance.now();

  constructor(interactive: boolean, line: (text: string) => void) {
    this.#line = line;
    if (!interactive) return;
    this.#bars = new MultiBar({
      format: 'partition {partition} {bar} {value}/{total}',
      barsize: 30,
      hideCursor: true,
      stream: process.stderr,
    });
  }

  update(partition: number, done: number, total: number): void {
    if (this.#bars) {
      const bars = this.#bars;
      this.#shown ??= barsShown((lines) => bars.log(lines));
      const bar = this.#bar.get(partition) ?? this.#bars.create(total, 0, { partition });
      this.#bar.set(partition, bar);
      bar.update(done);
      return;
    }
    this.#counts[partition] = `${done}/${total}`;
    if (performance.now() - this.#told < partitionLineEvery) return;
    this.#told = performance.now();
    this.#line(`classified by partition: ${this.#counts.join('  ')}`);
  }

  [Symbol.dispose](): void {
    if (this.#bars === undefined) return;
    this.#bars.update(); // stop() would leave out what is still to be written above
    this.#bars.stop();
    this.#shown?.[Symbol.dispose]();
  }
}
