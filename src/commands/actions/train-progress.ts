/** Shows how a training goes: a bar for each stage and epoch on a terminal, plain lines elsewhere. */
import { printable } from '../../lib/base/printable.ts';
import { Progress } from '../../lib/base/report/progress.ts';
import { percent } from '../../lib/base/report/table.ts';
import { countsOf } from '../../lib/learning/datasets/dataset.ts';
import type { Sets } from '../../lib/learning/datasets/sets.ts';
import { zooms } from '../../lib/learning/train/features/views.ts';
import type { TrainingEvent } from '../../lib/learning/train/train.ts';
import type { Context } from '../run.ts';

type Output = Pick<Context, 'interactive' | 'say'>;

export class TrainProgress implements Disposable {
  readonly #output: Output;
  #progress: Progress | undefined;
  #stage = '';
  #done = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  show(event: TrainingEvent): void {
    switch (event.kind) {
      case 'reading':
        return this.#advance('read', 'files', event.files, event.files);
      case 'sets':
        return this.#tell(...setLines(event.sets));
      case 'comparing':
        return this.#advance('compare', 'images', event.done, event.total);
      case 'features':
        return this.#advance('features', 'images', event.done, event.total);
      case 'features-ready': {
        const cached = event.cached > 0 ? `, ${event.cached} of them from the last time` : '';
        return this.#tell(
          `features of ${event.images} images, ${event.views} views each${cached}: ${event.seconds.toFixed(1)} s`,
        );
      }
      case 'fit':
        return this.#advance('cross-validate', 'fits', event.done, event.total);
      case 'chosen': {
        const { zoom, augmentation, penalty, top1 } = event.trial;
        if (top1 === undefined) return this.#tell('too few images for cross-validation: nothing was tried');
        return this.#tell(
          `chosen by cross-validation: zoom ${zooms[zoom]}, augmentation ${augmentation}, L2 ${penalty} (${percent(top1)} ` +
            `of the training images right, like ones left out together): ${event.seconds.toFixed(1)} s`,
        );
      }
      case 'resumed':
        return this.#tell(`going on after epoch ${event.epoch} of ${event.epochs}`);
      case 'epoch-started':
        return this.#close();
      case 'step':
        return this.#advance(
          `epoch ${event.epoch}  loss ${event.loss.toFixed(3)}`,
          'steps',
          event.step,
          event.steps,
        );
      case 'judging':
        return this.#close();
      case 'epoch-ended': {
        const { epoch, trainLoss, trainTop1, heldLoss, heldTop1, seconds } = event.metrics;
        return this.#tell(
          `epoch ${epoch}: loss ${trainLoss.toFixed(3)}, ${percent(trainTop1)} right; hold-out: loss ` +
            `${heldLoss.toFixed(3)}, ${percent(heldTop1)} right${event.best ? ' (best so far)' : ''}; ${seconds.toFixed(0)} s`,
        );
      }
      case 'stopped-early':
        return this.#tell(
          `no better for ${event.patience} epochs: stopped; epoch ${event.bestEpoch} was the best`,
        );
      case 'cache-full':
        return this.#tell(`decoded images are not kept any more: ${event.reason}`);
      case 'interrupted':
        return this.#tell('interrupted: the best so far is judged and kept (Ctrl-C again: stop at once)');
      case 'judging-model':
        return this.#advance('judge', 'images', event.done, event.total);
      default:
        return event satisfies never;
    }
  }

  /** `stage` may change its numbers while it goes on; its first word is what it is. */
  #advance(stage: string, unit: string, done: number, total: number): void {
    const name = /^(epoch \d+|\S+)/.exec(stage)![0];
    if (name !== this.#stage || done < this.#done) {
      this.#close();
      this.#progress = new Progress({
        label: stage,
        unit,
        interactive: this.#output.interactive,
        line: this.#output.say,
      });
      this.#stage = name;
    }
    this.#progress!.expect(total);
    this.#progress!.advance(done - this.#done);
    this.#done = done;
  }

  #tell(...lines: string[]): void {
    this.#close();
    for (const line of lines) this.#output.say(printable(line));
  }

  #close(): void {
    this.#progress?.[Symbol.dispose]();
    this.#progress = undefined;
    [this.#stage, this.#done] = ['', 0];
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}

/** Fewer images of a class than this teach little. */
const few = 20;

function setLines({ labels, train, held, unreadable, leftOut, unjudged }: Sets): string[] {
  const lines = unreadable.map(({ path, reason }) => `rejected  ${path}: ${reason}`);
  if (leftOut.length > 0) lines.push(`left out, for they are not among the classes: ${leftOut.join(', ')}`);
  if (unjudged.length > 0) {
    lines.push(`not judged, for the hold-out has no images of them: ${unjudged.join(', ')}`);
  }
  const counts = countsOf(train, labels.length);
  const small = labels.filter((_, i) => counts[i]! < few);
  if (small.length > 0) lines.push(`fewer than ${few} images to learn from: ${small.join(', ')}`);
  lines.push(`${labels.length} classes, ${train.length} images to learn from, ${held.length} to judge by`);
  return lines;
}
