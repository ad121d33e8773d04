/** The partitions' progress side by side: bars on a terminal, a plain line now and then elsewhere. */
import { MultiBar, type SingleBar } from 'cli-progress';

const lineEveryMs = 1000;

export class PartitionBars implements Disposable {
  readonly #bars: MultiBar | undefined;
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
      const bar = this.#bar.get(partition) ?? this.#bars.create(total, 0, { partition });
      this.#bar.set(partition, bar);
      bar.update(done);
      return;
    }
    this.#counts[partition] = `${done}/${total}`;
    if (performance.now() - this.#told < lineEveryMs) return;
    this.#told = performance.now();
    this.#line(`classified by partition: ${this.#counts.join('  ')}`);
  }

  [Symbol.dispose](): void {
    this.#bars?.stop();
  }
}
