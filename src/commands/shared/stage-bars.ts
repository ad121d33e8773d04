/** Shows work that goes through stages: one bar after the other on a terminal, plain lines elsewhere. */
import { Progress } from '../../lib/base/report/progress.ts';
import type { Context } from './run.ts';

export class StageBars implements Disposable {
  readonly #output: Pick<Context, 'interactive' | 'say'>;
  #progress: Progress | undefined;
  #label: string | undefined;
  #done = 0;

  constructor(output: Pick<Context, 'interactive' | 'say'>) {
    this.#output = output;
  }

  /** Of the stage that is shown. */
  get label(): string | undefined {
    return this.#label;
  }

  get done(): number {
    return this.#done;
  }

  /** Ends the stage before. */
  begin(label: string, unit: string, total: number): void {
    this.end();
    const { interactive, say: line } = this.#output;
    this.#progress = new Progress({ label, unit, interactive, line });
    this.#progress.expect(total);
    this.#label = label;
  }

  advance(count: number): void {
    this.#progress?.advance(count);
    this.#done += count;
  }

  /** For whoever counts from the beginning of the stage. */
  reach(done: number, total?: number): void {
    if (total !== undefined) this.#progress?.expect(total);
    this.advance(done - this.#done);
  }

  /** The stage needed no more than this. */
  complete(): void {
    this.#progress?.expect(this.#done);
    this.end();
  }

  end(): void {
    this.#progress?.[Symbol.dispose]();
    this.#progress = undefined;
    this.#label = undefined;
    this.#done = 0;
  }

  [Symbol.dispose](): void {
    this.end();
  }
}
