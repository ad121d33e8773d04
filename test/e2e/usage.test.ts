/** What a user's mistakes look like: a clear message, the right exit code, never a stack. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { binary, Rig } from '../support/binary.ts';
import { describeRdkafka } from '../support/mock-kafka.ts';
import { itThorough } from '../support/thorough.ts';

describe('usage', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await Rig.open();
  });
  afterAll(() => rig[Symbol.asyncDispose]());

  itThorough('shows help with an example for every command', async () => {
    const help = await rig.run(['--help']);
    expect(help.code).toBe(0);
    for (const heading of ['Start here', 'Run', 'Look', 'Models', 'Mend'])
      expect(help.stdout).toContain(`\n${heading}:\n`);
    const commands = [...help.stdout.matchAll(/^ {2}([a-z][\w-]*) {2}/gm)]
      .map((match) => match[1]!)
      .filter((name) => name !== 'help');
    expect(commands.length).toBeGreaterThanOrEqual(20);
    for (const command of commands) {
      const { code, stdout } = await rig.run([command, '--help']);
      expect([code, stdout], command).toEqual([0, expect.stringContaining('Example:')]);
    }
  });

  it('alone says what it is and where to start', async () => {
    const { code, stdout, stderr } = await rig.run([]);
    expect([code, stderr]).toEqual([0, '']);
    for (const command of ['demo', 'model pull squeezenet1_1', 'classify ./photos --local', '--help'])
      expect(stdout).toContain(`visionscale ${command}`);
  });

  it.each([
    [['frobnicate'], /unknown command 'frobnicate'/],
    [['upload', '--nonsense'], /unknown option '--nonsense'/],
    [['upload'], /upload needs a file or directory/],
    [['upload', 'not-there'], /not-there/],
    [['produce', '--rate', 'fast'], /--rate.*number/],
    [['consume', '--partition', '-1'], /--partition.*whole number/],
    [['consume', '--partition', '0', '--group'], /cannot be used with/],
    [['status', '--store', 'ftp://x'], /VISIONSCALE_STORE \(--store\)/],
    [['results', '--since', 'yesterday-ish'], /--since/],
  ])('%j exits 2', async (args, message) => {
    const ended = await rig.run(args);
    expect(ended.stderr).toMatch(message);
    expect(ended.stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
    expect([ended.code, ended.stdout]).toEqual([2, '']);
  });

  it.each([
    [['upload', '--nonsense', '--json'], 2, { code: 'usage', message: "unknown option '--nonsense'" }],
    [['consume', '--partition', 'x', '--json'], 2, { code: 'usage', hint: 'Run it with --help for usage.' }],
    [['upload', '--json'], 2, { code: 'usage', message: 'upload needs a file or directory' }],
    [['consume', '--json', '--model', 'not-there'], 1, { code: 'model_not_found' }],
  ])('%j is told as one JSON document on stderr', async (args, code, error) => {
    const ended = await rig.run(args, { FORCE_COLOR: '1' });
    expect([ended.code, ended.stdout]).toEqual([code, '']);
    const document = JSON.parse(ended.stderr) as { error: Record<string, unknown> };
    expect(document).toEqual({ error: expect.objectContaining(error) as unknown });
    expect(Object.keys(document.error)).toEqual(['code', 'message', 'hint']);
  });

  it('colours errors only where it is wanted', async () => {
    const { stderr } = await rig.run(['upload'], { FORCE_COLOR: '1' });
    expect(stderr).toContain('\x1b[31mvisionscale: upload needs a file or directory\x1b[39m\n');
    for (const env of [{}, { FORCE_COLOR: '1', NO_COLOR: '1' }, { FORCE_COLOR: '0' }])
      expect((await rig.run(['upload'], env)).stderr).not.toContain('\x1b');
  });

  it('is silent when the reader of its output leaves early', async () => {
    const running = rig.start(['--help']);
    running.process.stdout?.destroy();
    expect(await running.ended).toMatchObject({ code: 0, stderr: '' });
  });

  it.runIf(existsSync('/dev/full'))('says so when its output cannot be written', async () => {
    const toFullDisk = async (...args: string[]) => {
      const command = 'exec "$0" "$@" >/dev/full';
      const child = spawn('sh', ['-c', command, process.execPath, binary, ...args], {
        cwd: rig.dir,
        env: { ...rig.env },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      const [told] = await Promise.all([text(child.stderr), once(child, 'close')]);
      return { code: child.exitCode, stderr: told };
    };
    const stderr = 'visionscale: the output cannot be written: ENOSPC: no space left on device, write\n';
    for (const args of [['--help'], ['model', 'list']])
      expect(await toFullDisk(...args)).toEqual({ code: 1, stderr });
    const asJson = await toFullDisk('model', 'list', '--json');
    expect(JSON.parse(asJson.stderr)).toMatchObject({ error: { code: 'cannot_write' } });
  });

  it('needs a current directory', () => {
    const run = 'mkdir gone && cd gone && rmdir ../gone && exec "$0" "$@"';
    const args = ['-c', run, process.execPath, binary, 'model', 'list'];
    const { status, stderr } = spawnSync('sh', args, { cwd: rig.dir, env: rig.env, encoding: 'utf8' });
    const told = 'visionscale: the current directory has been removed\n  Change to another one: cd\n';
    expect([status, stderr]).toEqual([2, told]);
  });

  it('names every wrong setting at once', async () => {
    const ended = await rig.run(['status'], {
      VISIONSCALE_PARTITIONS: '0',
      VISIONSCALE_STOREE: 'x',
      PGPORT: 'abc',
    });
    expect(ended.code).toBe(2);
    for (const name of ['VISIONSCALE_PARTITIONS', 'VISIONSCALE_STOREE', 'PGPORT'])
      expect(ended.stderr).toContain(name);
  });

  it('says which server cannot be reached, without its password', async () => {
    const ended = await rig.run(['status'], { DATABASE_URL: 'postgres://me:hunter2@127.0.0.1:9/db' });
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('127.0.0.1:9/db');
    expect(ended.stderr).not.toContain('hunter2');
    expect(ended.stderr).not.toMatch(/\n\s+at /);
  });

  it('consume without a topic or model says what to do', async () => {
    const noModel = await rig.run(['consume']);
    expect([noModel.code, noModel.stderr]).toEqual([1, expect.stringContaining('--model')]);
  });

  describeRdkafka('with node-rdkafka', () => {
    it('takes properties that librdkafka refuses for wrong settings, not for a broker that is away', async () => {
      const ended = await rig.run(['produce'], {
        KAFKA_BROKERS: '127.0.0.1:9',
        KAFKA_CONF_group_protocol: 'consumer',
        KAFKA_CONF_session_timeout_ms: '9000',
      });
      expect(ended.code).toBe(2);
      expect(ended.stderr).toContain('session.timeout.ms');
      expect(ended.stderr).not.toContain('reachable');
    });
  });
});
