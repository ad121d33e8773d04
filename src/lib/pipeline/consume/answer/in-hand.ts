/** What a partition is working on, request by request: what the watchdog names when nothing moves. */

export type WorkStage = 'fetching' | 'classifying' | 'waiting';

interface Request {
  imageKey: string;
  stage: WorkStage;
  since: number;
}

export class InHand {
  readonly #requests = new Set<Request>();
  readonly #now: () => number;
  #ended = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  begin(imageKey: string): { at(stage: WorkStage): void; end(): void } {
    const request: Request = { imageKey, stage: 'fetching', since: this.#now() };
    this.#requests.add(request);
    return {
      at: (stage) => {
        request.stage = stage;
        request.since = this.#now();
      },
      end: () => {
        if (this.#requests.delete(request)) this.#ended++;
      },
    };
  }

  /** How many have ended. */
  get ended(): number {
    return this.#ended;
  }

  get size(): number {
    return this.#requests.size;
  }

  /** Whether the classifier has any of them. */
  get classifying(): boolean {
    return [...this.#requests].some(({ stage }) => stage === 'classifying');
  }

  /** In one line: how many are in which stage, and the one that has been longest in its. */
  describe(): string {
    const requests = [...this.#requests];
    if (requests.length === 0) return 'nothing is in work';
    const count = (stage: WorkStage) => requests.filter((request) => request.stage === stage).length;
    const stages = (['fetching', 'classifying', 'waiting'] as const).filter((stage) => count(stage) > 0);
    const oldest = requests.reduce((a, b) => (a.since <= b.since ? a : b));
    const seconds = Math.round((this.#now() - oldest.since) / 1000);
    return `${stages.map((stage) => `${count(stage)} ${stage}`).join(', ')}; longest ${oldest.imageKey}, ${oldest.stage} for ${seconds} s`;
  }
}
