/** Shows how a training goes: a bar for each stage and epoch on a terminal, plain lines elsewhere. */
import { passedOverLine } from '../../lib/base/files/image-names.ts';
import { printable } from '../../lib/base/printable.ts';
import { counted, percent } from '../../lib/base/report/table.ts';
import { countsOf } from '../../lib/learning/datasets/dataset.ts';
import { zooms } from '../../lib/learning/train/features/network.ts';
import type { Sets } from '../../lib/learning/train/hold-out.ts';
import type { TrainingEvent } from '../../lib/learning/train/train.ts';
import type { Context } from '../shared/run.ts';
import { StageBars } from '../shared/stage-bars.ts';

export class TrainProgress implements Disposable {
  readonly #say: Context['say'];
  readonly #bars: StageBars;

  constructor(output: Pick<Context, 'interactive' | 'say'>) {
    this.#say = output.say;
    this.#bars = new StageBars(output);
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
        const cached = event.cached > 0 ? `, ${event.cached} of them from the last run` : '';
        return this.#tell(
          `features of ${counted(event.images, 'image')}, ${counted(event.views, 'view')} each${cached}: ${event.seconds.toFixed(1)} s`,
        );
      }
      case 'fit':
        return this.#advance('cross-validate', 'fits', event.done, event.total);
      case 'chosen': {
        // It may end before its last fit.
        this.#bars.complete();
        const { zoom, augmentation, penalty, top1 } = event.trial;
        if (top1 === undefined)
          return this.#tell('too few images for cross-validation: the usual settings are used');
        return this.#tell(
          `cross-validated accuracy with similar photos kept together: ${percent(top1)} ` +
            `(zoom ${zooms[zoom]}, augmentation ${augmentation}, L2 ${penalty}; ${event.seconds.toFixed(1)} s)`,
        );
      }
      case 'resumed':
        return this.#tell(`resuming after epoch ${event.epoch} of ${event.epochs}`);
      case 'epoch-started':
        return this.#bars.end();
      case 'step':
        return this.#advance(
          `epoch ${event.epoch}  loss ${event.loss.toFixed(3)}`,
          'steps',
          event.step,
          event.steps,
        );
      case 'judging':
        return this.#bars.end();
      case 'epoch-ended': {
        const { epoch, trainLoss, trainTop1, heldLoss, heldTop1, seconds } = event.metrics;
        return this.#tell(
          `epoch ${epoch}: loss ${trainLoss.toFixed(3)}, ${percent(trainTop1)} right; hold-out: loss ` +
            `${heldLoss.toFixed(3)}, ${percent(heldTop1)} right${event.best ? ' (best so far)' : ''}; ${seconds.toFixed(0)} s`,
        );
      }
      case 'stopped-early':
        return this.#tell(
          `stopped early: no better for ${event.patience} epochs; epoch ${event.bestEpoch} was the best`,
        );
      case 'cache-full':
        return this.#tell(`decoded images are no longer cached: ${event.reason}`);
      case 'interrupted':
        return this.#tell(
          'interrupted: evaluating and keeping the best epoch so far (Ctrl-C again stops at once)',
        );
      case 'judging-model':
        return this.#advance('judge', 'images', event.done, event.total);
      default:
        return event satisfies never;
    }
  }

  /** `stage` may change its numbers while it goes on; its first word is what it is. */
  #advance(stage: string, unit: string, done: number, total: number): void {
    const { label } = this.#bars;
    const goesOn = label !== undefined && nameOf(label) === nameOf(stage) && done >= this.#bars.done;
    if (!goesOn) this.#bars.begin(stage, unit, total);
    this.#bars.reach(done, total);
  }

  #tell(...lines: string[]): void {
    this.#bars.end();
    for (const line of lines) this.#say(printable(line));
  }

  [Symbol.dispose](): void {
    this.#bars.end();
  }
}

function nameOf(stage: string): string {
  return /^(epoch \d+|\S+)/.exec(stage)![0];
}

/** Fewer images of a class than this teach little. */
const few = 20;

function setLines(sets: Sets): string[] {
  const { labels, train, held, unreadable, passedOver, leftOut, unjudged, oneGroup, groups, mixed } = sets;
  const lines = unreadable.map(({ path, reason }) => `rejected  ${path}: ${reason}`);
  if (passedOver.passedOver > 0) lines.push(passedOverLine(passedOver));
  if (leftOut.length > 0) lines.push(`left out (not among the classes): ${leftOut.join(', ')}`);
  const absent = unjudged.filter((label) => !oneGroup.includes(label));
  if (absent.length > 0) {
    lines.push(`not evaluated (no hold-out images): ${absent.join(', ')}`);
  }
  if (oneGroup.length > 0 && !mixed) {
    lines.push(`not evaluated (all images in one group): ${oneGroup.join(', ')}`);
  }
  const counts = countsOf(train, labels.length);
  const small = labels.filter((_, i) => counts[i]! < few);
  if (small.length > 0) lines.push(`fewer than ${few} training images: ${small.join(', ')}`);
  const together = groups.largest > 1 ? `, in ${counted(groups.count, 'group')} of similar pictures` : '';
  lines.push(
    `${counted(labels.length, 'class', 'classes')}, ${counted(train.length, 'image')} to train on, ${held.length} held out${together}`,
  );
  return lines;
}
