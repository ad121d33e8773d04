/** What a run of the faults is told by the environment: VISIONSCALE_FAULTS_*. */

export interface FaultsOptions {
  seed: number;
  stack: 'embedded' | 'real';
  /** For how long new faults begin. */
  minutes: number;
  /** Most faults; null: as many as there is time for. */
  most: number | null;
  /** How the consumers share the partitions. */
  share: 'any' | 'group';
  /** `colors` is quick; `squeezenet` needs VISIONSCALE_TEST_DATA. */
  model: 'colors' | 'squeezenet';
  /** Only these kinds of faults; all that the stack allows unless told. */
  kinds: string[] | null;
  /** Images a second from `produce`, and as many messages from elsewhere. */
  rate: number;
  consumers: number;
  /** Share of what is bad among what is sent. */
  poison: number;
  /** Share of the messages that are sent a second time. */
  duplicates: number;
  /** Quiet time between faults, ms. */
  gapMs: readonly [number, number];
  /** Share of the faults that begin beside another. */
  together: number;
  /** Keep the directory also where everything was right. */
  keep: boolean;
  /** Where the report goes as JSON. */
  report: string | null;
  testData: string | null;
}

export const defaults: FaultsOptions = {
  seed: 1,
  stack: 'embedded',
  minutes: 1,
  most: null,
  share: 'any',
  model: 'colors',
  kinds: null,
  rate: 15,
  consumers: 4,
  poison: 0.02,
  duplicates: 0.03,
  gapMs: [1000, 4000],
  together: 0.15,
  keep: false,
  report: null,
  testData: null,
};

type Environment = Record<string, string | undefined>;

/** Throws an Error that names every wrong variable. */
export function optionsFrom(env: Environment): FaultsOptions {
  const faults: string[] = [];
  const given = (name: string) => env[`VISIONSCALE_FAULTS_${name}`] || undefined;
  const number = (name: string, fallback: number, least: number, most: number) => {
    const text = given(name);
    if (text === undefined) return fallback;
    const value = Number(text);
    if (!(value >= least && value <= most)) faults.push(`VISIONSCALE_FAULTS_${name}: ${least} to ${most}`);
    return value;
  };
  const oneOf = <T extends string>(name: string, fallback: T, choices: readonly T[]): T => {
    const found = choices.find((choice) => choice === (given(name) ?? fallback));
    if (found === undefined) faults.push(`VISIONSCALE_FAULTS_${name}: ${choices.join(' or ')}`);
    return found ?? fallback;
  };
  const gap = given('GAP_SECONDS');
  const gapMs = gap === undefined ? defaults.gapMs : ([Number(gap) * 1000, Number(gap) * 1000] as const);
  if (Number.isNaN(gapMs[0])) faults.push('VISIONSCALE_FAULTS_GAP_SECONDS: a number');
  const options: FaultsOptions = {
    seed: number('SEED', Math.floor(Math.random() * 1e6), 0, 2 ** 32),
    stack: oneOf('STACK', 'embedded', ['embedded', 'real']),
    minutes: number('MINUTES', 3, 0.05, 24 * 60),
    most: given('MOST') === undefined ? null : number('MOST', 0, 1, 1000),
    share: oneOf('SHARE', 'any', ['any', 'group']),
    model: oneOf('MODEL', 'colors', ['colors', 'squeezenet']),
    kinds: given('KINDS')?.split(',') ?? null,
    rate: number('RATE', defaults.rate, 1, 1000),
    consumers: number('CONSUMERS', defaults.consumers, 3, 20),
    poison: number('POISON', defaults.poison, 0, 0.5),
    duplicates: number('DUPLICATES', defaults.duplicates, 0, 0.5),
    gapMs,
    together: number('TOGETHER', defaults.together, 0, 1),
    keep: given('KEEP') !== undefined,
    report: given('REPORT') ?? null,
    testData: env['VISIONSCALE_TEST_DATA'] || null,
  };
  if (options.model === 'squeezenet' && options.testData === null)
    faults.push('VISIONSCALE_TEST_DATA: not set');
  if (faults.length > 0) throw new Error(`wrong settings:\n  ${faults.join('\n  ')}`);
  return options;
}
