/** What `bench --simulate` does: makes the scratch place, starts consumers as processes, and prints what they reached. */
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { VisionscaleError } from '../../lib/base/errors.ts';
import { compiledFile } from '../../lib/base/package.ts';
import { openScratch } from '../../lib/local/bench/scratch.ts';
import type { ConsumerSample, SimulatedConsumer } from '../../lib/local/bench/simulate/fleet.ts';
import { simulateReport } from '../../lib/local/bench/simulate/report.ts';
import { simulate } from '../../lib/local/bench/simulate/simulate.ts';
import { openers } from '../shared/opening.ts';
import type { Context } from '../shared/run.ts';
import { temporaryDirectory } from './action.ts';
import type { SimulatedAnswer, SimulatedOrder } from './simulated-consumer.ts';

export interface SimulateFlags {
  seconds: number;
  partitions?: number;
  consumers: number;
  count?: number;
  group?: boolean;
}

export default async function (context: Context, flags: SimulateFlags): Promise<void> {
  const { config, env, onNotice, say, signal } = context;
  const { partitions = config.topic.partitions, group = false } = flags;
  await using place = await temporaryDirectory();
  const directory = join(place.path, 'data');
  const id = randomBytes(4).toString('hex');
  await using scratch = await openScratch(
    { ...config, topic: { ...config.topic, partitions } },
    { directory, id, openers: (own) => openers({ ...context, config: own }), onNotice, stage: 'simulate' },
  );
  const order = { env, scratch: { directory, id, partitions }, stage: 'simulate', group };
  const options = { ...flags, signal, say };
  const result = await simulate(scratch, () => startConsumer(order), options);
  context.print(result, () => simulateReport(result));
}

function startConsumer(order: SimulatedOrder): SimulatedConsumer {
  const child = fork(compiledFile('commands/bench/simulated-consumer'), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  let failure: Error | null = null;
  const waiting: ((result: ConsumerSample | Error) => void)[] = [];
  const tell = (result: ConsumerSample | Error) => {
    for (const hear of waiting.splice(0)) hear(result);
  };
  const fail = (reason: string) => tell((failure ??= new VisionscaleError(reason, { code: 'bench_failed' })));
  child.on('message', (message: SimulatedAnswer) => {
    if (message.kind === 'sample') tell(message.sample);
    else fail(`a consumer failed: ${message.reason}`);
  });
  child.on('error', (error) => fail(`a consumer failed: ${error.message}`));
  const ended = once(child, 'exit').then(() => fail('a consumer ended'));
  child.send(order);
  return {
    async sample() {
      if (failure !== null) throw failure;
      const result = await new Promise<ConsumerSample | Error>((resolve) => {
        waiting.push(resolve);
        child.send('sample', () => undefined);
      });
      if (result instanceof Error) throw result;
      return result;
    },
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}
