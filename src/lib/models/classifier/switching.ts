/** A classifier whose model can be exchanged between two images: no image waits, none is dropped. */
import type { Classification, ModelInfo } from '../../base/classification.ts';
import type { Classifier, EngineName } from './classifier.ts';

export class SwitchingClassifier implements Classifier {
  #current: Classifier;
  #closing: Promise<void> | undefined;
  readonly #retiring = new Set<Promise<void>>();

  constructor(first: Classifier) {
    this.#current = first;
  }

  get engine(): EngineName {
    return this.#current.engine;
  }

  get model(): ModelInfo {
    return this.#current.model;
  }

  get workers(): number {
    return this.#current.workers;
  }

  classify(image: Uint8Array, signal?: AbortSignal): Promise<Classification> {
    return this.#current.classify(image, signal);
  }

  workedMs(): number {
    return this.#current.workedMs?.() ?? 0;
  }

  /** `next` is open and warm. What the former has accepted it still finishes, then it is closed. */
  switchTo(next: Classifier): void {
    const former = this.#current;
    this.#current = next;
    const retiring = Promise.resolve(former[Symbol.asyncDispose]()).finally(() =>
      this.#retiring.delete(retiring),
    );
    this.#retiring.add(retiring);
    retiring.catch(() => undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= Promise.all([this.#current[Symbol.asyncDispose](), ...this.#retiring]).then(
      () => undefined,
    );
    return this.#closing;
  }
}
