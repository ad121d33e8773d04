/** Opens each thing at most once, and closes all of them in reverse order. */
export class Opened implements AsyncDisposable {
  readonly #resources: Promise<AsyncDisposable>[] = [];

  /** The same promise at every call, so that a failure is told once a check and nothing is opened twice. */
  once<T extends AsyncDisposable>(open: () => Promise<T>): () => Promise<T> {
    let opening: Promise<T> | undefined;
    return () => {
      if (!opening) {
        opening = open();
        this.#resources.push(opening);
      }
      return opening;
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const resource of this.#resources.reverse()) {
      const opened = await resource.catch(() => undefined);
      await opened?.[Symbol.asyncDispose]();
    }
  }
}
