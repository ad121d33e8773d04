/** A child process that does work that may hang or crash; it ends with its parent, whatever its threads are doing. */
import { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { errorMessage, VisionscaleError } from '../errors.ts';
import {
  type Answer,
  onFrame,
  type Opening,
  type OpenWork,
  type Order,
  sendFrame,
  toPlainError,
  type Work,
} from './protocol.ts';

const parentPid = Number(process.argv[2]);
const parent = new Socket({ fd: 3, readable: true, writable: true });
let work: Work<unknown, unknown> | undefined;

// Nothing here is worth a good-bye, and an orderly exit would wait for what hangs in native code.
const end = () => process.kill(process.pid, 'SIGKILL');
// Where all processes of a service are told to stop, its parent may want to finish what is in work here.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => undefined);
parent.on('error', end).on('close', end);
// While native code holds the main thread nobody hears that the parent is gone; this thread looks.
const lookout = `const { workerData } = require('node:worker_threads');
setInterval(() => { if (process.ppid !== workerData) process.kill(process.pid, 'SIGKILL'); }, 500);`;
const resourceLimits = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 1 };
new Worker(lookout, { eval: true, execArgv: [], env: {}, workerData: parentPid, resourceLimits }).unref();

/** The next task may be here before the last one is done, so that nothing waits for it to come. */
let last = Promise.resolve();
let came = 0;
const withdrawn = new Set<number>();
onFrame(parent, (message, bytes) => {
  const order = message as Order;
  if (order.kind === 'withdraw') {
    withdrawn.add(order.number);
    return;
  }
  const number = ++came;
  last = last.then(async () => {
    if (order.kind === 'open') return tell(await open(order));
    await heard();
    return tell(withdrawn.delete(number) ? { kind: 'withdrawn' } : await done(work!, order.task, bytes));
  });
});

/** A round of the event loop, in which all that has come is read. */
async function heard(): Promise<void> {
  await setImmediate();
  await setImmediate();
}

async function open({ module, setup }: Opening): Promise<Answer> {
  try {
    const loaded = (await import(pathToFileURL(module).href)) as {
      default: OpenWork<unknown, unknown, unknown>;
    };
    work = await loaded.default(setup);
    return { kind: 'ready' };
  } catch (error) {
    return fault(error);
  }
}

async function done(work: Work<unknown, unknown>, task: unknown, bytes: Buffer): Promise<Answer> {
  try {
    return { kind: 'done', reply: await work(task, bytes) };
  } catch (error) {
    return fault(error);
  }
}

function fault(error: unknown): Answer {
  if (error instanceof VisionscaleError) return { kind: 'failed', error: toPlainError(error) };
  return { kind: 'broken', reason: errorMessage(error) };
}

async function tell(answer: Answer): Promise<void> {
  sendFrame(parent, answer);
  // The parent ends it when it has heard; nothing is begun until then.
  if (answer.kind === 'broken') await new Promise(() => undefined);
}
