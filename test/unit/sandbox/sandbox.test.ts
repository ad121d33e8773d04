import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { VisionscaleError } from '../../../src/lib/base/errors.ts';
import {
  openSandbox,
  type Sandbox,
  sandboxCrashes,
  type SandboxOptions,
} from '../../../src/lib/base/sandbox/sandbox.ts';
import { ensureBuilt } from '../../support/build.ts';
import { childrenOf } from '../../support/processes.ts';
import { itThorough } from '../../support/thorough.ts';

interface Echo {
  value: unknown;
  bytes: Uint8Array;
  pid: number;
}

type Task = { do: string } & Record<string, unknown>;

beforeAll(ensureBuilt, 120_000);

let notices: string[] = [];
beforeEach(() => void (notices = []));

function open(options: Partial<SandboxOptions> = {}): Promise<Sandbox<Task, unknown>> {
  return openSandbox<Task, unknown>({
    module: fileURLToPath(new URL('../../support/sandbox-work.mjs', import.meta.url)),
    setup: {},
    processes: 1,
    eager: options.processes ?? 1,
    limitMs: 300,
    called: 'a child',
    overrun: (ms) => new VisionscaleError(`more than ${ms} ms`, { code: 'overrun' }),
    cannotOpen: (how) => new VisionscaleError(`cannot open: ${how}`, { code: 'cannot_open' }),
    onNotice: (text) => notices.push(text),
    ...options,
  });
}

const echo = async (sandbox: Sandbox<Task, unknown>, value: unknown, bytes?: Uint8Array) =>
  (await sandbox.run({ do: 'echo', value }, bytes)) as Echo;

/** Until the process is gone, or the test's time. */
async function gone(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}`)) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('a sandbox', () => {
  it('opens more processes as tasks come', async () => {
    await using sandbox = await open({ processes: 2, eager: 1 });
    const before = childrenOf(process.pid).length;
    await Promise.all(Array.from({ length: 50 }, () => echo(sandbox, 0)));
    await Promise.all(Array.from({ length: 50 }, () => echo(sandbox, 0)));
    expect(childrenOf(process.pid)).toHaveLength(before + 1);
  });

  it('does tasks, with bytes of any number, in the order in which they come', async () => {
    await using sandbox = await open();
    const sizes = [0, 1, 7, 8, 65_535, 65_536, 65_537, 3_000_001];
    const all = sizes.map((size) => new Uint8Array(size).map((_, i) => i * 31));
    const answers = await Promise.all(all.map((bytes, i) => echo(sandbox, { i, when: new Date(i) }, bytes)));
    answers.forEach(({ value, bytes }, i) => {
      expect(value).toEqual({ i, when: new Date(i) });
      expect(Buffer.compare(bytes, all[i]!)).toBe(0);
    });
  });

  it.each(['hang', 'hang in the pool'])(
    'ends the process of a task that goes on computing (%s), and goes on with the others',
    async (task) => {
      await using sandbox = await open();
      const { pid } = await echo(sandbox, 1);
      const hanging = expect(sandbox.run({ do: task })).rejects.toMatchObject({ code: 'overrun' });
      const next = echo(sandbox, 'next');
      await hanging;
      expect(existsSync(`/proc/${pid}`)).toBe(false);
      expect((await next).value).toBe('next');
      expect((await next).pid).not.toBe(pid);
      expect(notices).toEqual(['a child was ended after 0.3 s of work and is replaced']);
    },
    60_000,
  );

  itThorough(
    'counts neither what a task waits for its turn nor what it waits for otherwise',
    async () => {
      await using sandbox = await open();
      const waiting = sandbox.run({ do: 'sleep', ms: 1000 });
      const many = Array.from({ length: 8 }, () => sandbox.run({ do: 'compute', ms: 100 }));
      await Promise.all([waiting, ...many]);
      expect(notices).toEqual([]);
    },
    60_000,
  );

  it('does what was sent ahead behind a slow task elsewhere, once a process is free', async () => {
    await using sandbox = await open({ processes: 2, limitMs: 600_000 });
    const stop = new AbortController();
    const slow = sandbox.run({ do: 'hang' }, undefined, stop.signal);
    const other = sandbox.run({ do: 'sleep', ms: 1000 });
    const ahead = [echo(sandbox, 1), echo(sandbox, 2)];
    expect((await Promise.all(ahead)).map(({ value }) => value)).toEqual([1, 2]);
    await other;
    expect((await echo(sandbox, 3)).value).toBe(3);
    stop.abort();
    await expect(slow).rejects.toThrow();
  }, 60_000);

  itThorough(
    'does a slow task that was sent ahead once, though another process is free',
    async () => {
      const dir = mkdtempSync(join(tmpdir(), 'visionscale-sandbox-'));
      try {
        await using sandbox = await open({ processes: 2, limitMs: 600_000 });
        const before = [50, 50].map((ms) => sandbox.run({ do: 'sleep', ms }));
        const path = join(dir, 'begun');
        await Promise.all([...before, sandbox.run({ do: 'compute, noted', path, ms: 1500 })]);
        expect(readFileSync(path, 'utf8')).toMatch(/^\d+\n$/);
      } finally {
        rmSync(dir, { recursive: true });
      }
    },
    60_000,
  );

  itThorough(
    'blames a crash on the task that was being done, not on the one behind it',
    async () => {
      await using sandbox = await open();
      const answers = await Promise.allSettled([
        sandbox.run({ do: 'crash' }),
        echo(sandbox, 1),
        sandbox.run({ do: 'hang' }),
        echo(sandbox, 2),
        sandbox.run({ do: 'throw', message: 'a bug' }),
        echo(sandbox, 3),
      ]);
      expect(answers.map(({ status }) => status)).toEqual([
        'rejected',
        'fulfilled',
        'rejected',
        'fulfilled',
        'rejected',
        'fulfilled',
      ]);
    },
    60_000,
  );

  it('tells the death of a process apart from an overrun, and replaces it', async () => {
    await using sandbox = await open({ hint: 'Do this.' });
    const before = sandboxCrashes();
    await expect(sandbox.run({ do: 'crash' })).rejects.toMatchObject({
      code: 'worker_crashed',
      retryable: true,
      message: 'a child ended with SIGSEGV',
      hint: 'Do this.',
    });
    await expect(sandbox.run({ do: 'throw', message: 'a bug' })).rejects.toMatchObject({
      code: 'worker_crashed',
      message: 'a child ended: a bug',
    });
    expect((await echo(sandbox, 1)).value).toBe(1);
    // What was ended for taking too long did not crash.
    await sandbox.run({ do: 'hang' }).catch(() => undefined);
    expect(sandboxCrashes() - before).toBe(2);
  }, 60_000);

  it('lets go of a task at its signal, and does the next', async () => {
    await using sandbox = await open({ limitMs: 600_000 });
    const stop = new AbortController();
    const stopped = [{ do: 'sleep', ms: 1000 }, { do: 'hang' }].map((task) =>
      sandbox.run(task, undefined, stop.signal),
    );
    const next = echo(sandbox, 'next');
    const why = new Error('stop');
    stop.abort(why);
    await Promise.all(stopped.map((one) => expect(one).rejects.toBe(why)));
    expect((await next).value).toBe('next');
  }, 60_000);

  it.each([
    ['crash', /^cannot open: ended with SIGFPE$/],
    ['no such model', /^cannot open: ended: no such model$/],
  ])(
    'says why it cannot be opened (%s), and leaves no process',
    async (failsWith, message) => {
      const before = childrenOf(process.pid).length;
      const opening = open({ setup: { failsWith }, processes: 2 });
      await expect(opening).rejects.toMatchObject({
        code: 'cannot_open',
        message: expect.stringMatching(message) as string,
      });
      expect(childrenOf(process.pid)).toHaveLength(before);
      await using later = await open({ setup: { failsWith }, eager: 0 });
      await expect(echo(later, 1)).rejects.toMatchObject({ code: 'cannot_open' });
    },
    60_000,
  );

  it('does its tasks in the processes that open, where another cannot be', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'visionscale-sandbox-'));
    try {
      await using sandbox = await open({
        setup: { failsOnce: join(dir, 'first') },
        processes: 2,
        eager: 0,
      });
      const answers = await Promise.all([echo(sandbox, 1), echo(sandbox, 2)]);
      expect(answers.map(({ value }) => value)).toEqual([1, 2]);
    } finally {
      rmSync(dir, { recursive: true });
    }
  }, 60_000);

  it('blames nobody where no process can be started', async () => {
    const script = fileURLToPath(new URL('../../support/no-descriptors.mjs', import.meta.url));
    const limited = ['-c', 'ulimit -n 64 && exec "$0" "$1"', process.execPath, script];
    const child = spawn('/bin/sh', limited, { stdio: ['ignore', 'pipe', 'pipe'] });
    const [said, complaints] = await Promise.all([text(child.stdout), text(child.stderr)]);
    expect(complaints).toBe('');
    expect(JSON.parse(said)).toEqual({
      code: 'worker_unavailable',
      retryable: true,
      message: `a child could not be started: spawn ${process.execPath} EMFILE`,
    });
  }, 60_000);

  it('leaves it to the parent when a process ends', async () => {
    await using sandbox = await open();
    const { pid } = await echo(sandbox, 1);
    for (const signal of ['SIGTERM', 'SIGINT']) {
      process.kill(pid, signal);
      expect(await echo(sandbox, signal)).toMatchObject({ value: signal, pid });
    }
    expect(notices).toEqual([]);
  }, 60_000);

  it('takes no task when it is closed', async () => {
    const sandbox = await open();
    await sandbox[Symbol.asyncDispose]();
    await expect(echo(sandbox, 1)).rejects.toMatchObject({
      code: 'worker_unavailable',
      retryable: true,
      message: 'a child was closed',
    });
  }, 20_000);

  it('ends what is at work when it is closed', async () => {
    const sandbox = await open({ limitMs: 600_000 });
    const hanging = expect(sandbox.run({ do: 'hang' })).rejects.toMatchObject({ code: 'worker_crashed' });
    const waiting = expect(sandbox.run({ do: 'hang' })).rejects.toMatchObject({ code: 'worker_crashed' });
    await sandbox[Symbol.asyncDispose]();
    await Promise.all([hanging, waiting]);
  }, 60_000);

  itThorough(
    'is waited for where nothing else keeps the process alive',
    async () => {
      const script = fileURLToPath(new URL('../../support/sandbox-alone.mjs', import.meta.url));
      const alone = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = once(alone, 'exit') as Promise<[number | null, string | null]>;
      expect([await text(alone.stdout), ...(await ended)]).toEqual(['closed', 0, null]);
    },
    60_000,
  );

  it('has nothing secret in its environment', async () => {
    const secrets = [
      'AWS_SECRET_ACCESS_KEY',
      'DATABASE_URL',
      'HTTPS_PROXY',
      'http_proxy',
      'npm_config_proxy',
    ];
    for (const name of secrets) vi.stubEnv(name, 'secret');
    onTestFinished(() => void vi.unstubAllEnvs());
    await using sandbox = await open();
    const environment = (await sandbox.run({ do: 'environment' })) as Record<string, string>;
    expect(environment).toHaveProperty('PATH');
    for (const name of secrets) expect(environment).not.toHaveProperty(name);
  }, 60_000);
});

describe('the child of a parent that is killed', () => {
  it.each(['hang', 'hang in the pool', 'sleep'])(
    'ends, whatever it is doing: %s',
    async (task) => {
      const script = fileURLToPath(new URL('../../support/sandbox-parent.mjs', import.meta.url));
      const parent = spawn(process.execPath, [script, task], { stdio: ['ignore', 'pipe', 'inherit'] });
      const [line] = (await once(parent.stdout, 'data')) as [Buffer];
      const pid = Number(line.toString());
      expect(existsSync(`/proc/${pid}`)).toBe(true);
      parent.kill('SIGKILL');
      await gone(pid);
    },
    60_000,
  );
});
