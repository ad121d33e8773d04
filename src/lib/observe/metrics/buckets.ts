/** The upper bounds of the histograms' buckets, in seconds. */

/** One step of the work on one image: from a cached read to a slow store. */
export const stageBuckets = [
  0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
];

/** From capture to row, and the time in the queue: fine around half a second, which a robot waits at most. */
export const waitBuckets = [
  0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.5, 2.5, 5, 10, 30, 60,
  300,
];

/** A request to `serve`, which may wait for its result. */
export const httpBuckets = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2.5, 5, 10, 30,
];
