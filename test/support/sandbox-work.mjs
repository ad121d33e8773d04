// Work for the tests of the sandbox: does what a hostile input would make of a decoder.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { pbkdf2, randomBytes } from 'node:crypto';

function compute(ms) {
  const began = process.cpuUsage();
  for (;;) {
    const { user, system } = process.cpuUsage(began);
    if (user + system > ms * 1000) return;
  }
}

const tasks = {
  echo: ({ value }, bytes) => ({ value, bytes: new Uint8Array(bytes), pid: process.pid }),
  compute: ({ ms }) => compute(ms),
  'compute, noted': ({ path, ms }) => {
    appendFileSync(path, `${process.pid}\n`);
    compute(ms);
  },
  // The main thread is held, as by inference.
  hang: () => compute(Infinity),
  // The main thread is free, as while an image is decoded in libuv's pool.
  'hang in the pool': () =>
    new Promise((done) => pbkdf2('a', randomBytes(8), 2 ** 31 - 1, 64, 'sha512', done)),
  sleep: ({ ms }) => sleep(ms),
  crash: () => process.kill(process.pid, 'SIGSEGV'),
  throw: ({ message }) => {
    throw new Error(message);
  },
  environment: () => ({ ...process.env }),
};

/** One process fails, and the others open when it is gone. */
async function failOnce(path) {
  try {
    writeFileSync(path, `${process.pid}`, { flag: 'wx' });
  } catch {
    while (readFileSync(path, 'utf8') === '' || existsSync(`/proc/${readFileSync(path, 'utf8')}`))
      await sleep(20);
    return;
  }
  throw new Error('the first');
}

export default async function open({ failsWith, failsOnce }) {
  if (failsOnce !== undefined) await failOnce(failsOnce);
  if (failsWith === 'crash') process.kill(process.pid, 'SIGFPE');
  if (failsWith !== undefined) throw new Error(failsWith);
  return async (task, bytes) => tasks[task.do](task, bytes);
}
