/** The stages of a benchmark, in the order in which they run. */
export const stageNames = [
  'decode',
  'preprocess',
  'infer',
  'workers',
  'produce',
  'consume',
  'end-to-end',
  'agreement',
] as const;

export type StageName = (typeof stageNames)[number];
