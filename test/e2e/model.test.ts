/** The `model` commands and the offer, driven as a user does. */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Rig } from '../support/binary.ts';
import { colorImage } from '../support/color-model.ts';
import { FileServer, RefusingProxy } from '../support/file-server.ts';
import { HubServer } from '../support/hub-server.ts';
import { op, pickle, pth, squeezeNetPth } from '../support/pth.ts';
import { itThorough, thorough, thoroughTitle } from '../support/thorough.ts';
import { tinyWeights } from '../support/tiny-models.ts';

let rig: Rig;
let env: Record<string, string>;
beforeEach(async () => {
  rig = await Rig.open();
  env = { VISIONSCALE_MODELS: join(rig.dir, 'models') };
  await writeFile(join(rig.dir, 'tiny.onnx'), tinyWeights('mean'));
  await writeFile(join(rig.dir, 'labels.txt'), 'red\ngreen\nblue\n');
  await mkdir(join(rig.dir, 'photographs'));
  await writeFile(join(rig.dir, 'photographs', 'a.png'), await colorImage('green', 1));
});
afterEach(() => rig[Symbol.asyncDispose]());

interface Listed {
  name: string;
  version: string;
  active: boolean;
  bundled: boolean;
}

/** Without what comes with the package. */
async function installed(): Promise<Listed[]> {
  return (await rig.json<Listed[]>(['model', 'list'], env)).filter(({ bundled }) => !bundled);
}

const tiny = ['model', 'add', 'tiny.onnx', '--resize', '8', '--mean', '0,0,0', '--std', '1,1,1'];

describe('a model of one’s own', () => {
  it('is added, chosen, used, shown, verified and removed', async () => {
    expect(await rig.json([...tiny, '--name', 'colours@1'], env)).toMatchObject({
      name: 'colours',
      version: '1',
      classes: 3,
      output: 'logits',
      preprocessing: { resize: 8, crop: 8 },
    });
    await rig.json([...tiny, '--name', 'colours@2', '--output', 'logits', '--std', '0.5,0.5,0.5'], env);
    expect((await rig.run(['classify', 'photographs', '--local'], env)).stderr).toContain(
      'no model is chosen',
    );
    expect(await rig.json(['model', 'use', 'colours@1'], env)).toMatchObject({ active: true, version: '1' });

    const [first] = (await rig.run(['classify', 'photographs', '--local', '--json'], env)).stdout.split('\n');
    expect(JSON.parse(first!)).toMatchObject({ category: 'green' });
    const named = await rig.run(
      ['classify', 'photographs', '--local', '--json', '--model', 'colours@2'],
      env,
    );
    const confidence = (line: string) => (JSON.parse(line) as { confidence: number }).confidence;
    expect(confidence(named.stdout)).toBeGreaterThan(confidence(first!) + 1);

    const list = await installed();
    expect(list.map(({ name, version, active }) => [name, version, active])).toEqual([
      ['colours', '2', false],
      ['colours', '1', true],
    ]);
    expect(await rig.json(['model', 'show'], env)).toMatchObject({
      version: '1',
      labels: ['red', 'green', 'blue'],
    });
    expect(await rig.json(['model', 'verify', 'colours@2'], env)).toMatchObject({ ok: true, classes: 3 });
    for (const command of ['list', 'show', 'verify']) {
      const shown = await rig.run(['model', command], env);
      expect([shown.code, shown.stdout]).toEqual([0, expect.stringContaining('colours')]);
    }

    const refused = await rig.run(['model', 'remove', 'colours@1'], env);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('--force')]);
    expect((await rig.run(['model', 'remove', 'colours'], env)).code).toBe(2); // which one?
    await rig.json(['model', 'remove', 'colours@1', '--force'], env);
    expect(await installed()).toMatchObject([{ version: '2', active: false }]);
  });

  itThorough('that was changed on the disk is not used', async () => {
    const { path } = await rig.json<{ path: string }>([...tiny, '--name', 'colours@1'], env);
    await writeFile(join(path, 'model.onnx'), tinyWeights('leftHalf'));
    for (const command of ['verify', 'use']) {
      const ended = await rig.run(['model', command, 'colours'], env);
      expect([ended.code, ended.stderr]).toEqual([1, expect.stringContaining('damaged or replaced')]);
    }
  });

  const refusals: [string[], number, RegExp][] = [
    [['add', 'hostile.pth'], 1, /posix\.system/],
    [['pull', 'squeezenet1_1', '--sha256', 'abc'], 2, /64 hex digits/],
    [['add', 'two.onnx'], 1, /2 inputs/],
    [['add', 'tiny.onnx', '--labels', 'two.txt', '--resize', '8'], 1, /3 classes, but there are 2 labels/],
    [['add', 'tiny.onnx', '--mean', '1,2'], 2, /three numbers/],
    [['add', 'tiny.onnx', '--name', '../../x', '--resize', '8'], 2, /cannot be the name/],
    [['use', 'nothing'], 1, /no model "nothing"/],
    [['show'], 1, /no model is chosen/],
    [['pull', 'resnet'], 2, /no model "resnet" to pull/],
    [['frobnicate'], 2, /unknown command/],
  ];
  const refuses = async (args: string[], code: number, message: RegExp) => {
    await writeFile(join(rig.dir, 'two.onnx'), tinyWeights('twoInputs'));
    await writeFile(join(rig.dir, 'two.txt'), 'a\nb\n');
    const call = [
      op.global('posix', 'system'),
      op.tuple(op.text(`touch '${join(rig.dir, 'ran')}'`)),
      op.reduce,
    ];
    await writeFile(join(rig.dir, 'hostile.pth'), pth(pickle(...call)));
    const ended = await rig.run(['model', ...args], env);
    expect([ended.code, ended.stdout]).toEqual([code, '']);
    expect(ended.stderr).toMatch(message);
    expect(ended.stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
    expect(existsSync(join(rig.dir, 'ran'))).toBe(false);
    expect(await installed()).toEqual([]);
  };
  it.each(refusals.slice(0, 2))('model %j is refused', refuses);
  it.runIf(thorough).each(refusals.slice(2))(thoroughTitle('model %j is refused'), refuses);

  itThorough('has help with an example for every command', async () => {
    const { stdout } = await rig.run(['model', '--help']);
    const commands = [...stdout.matchAll(/^ {2}([a-z]\w*) {2}/gm)]
      .map((match) => match[1]!)
      .filter((name) => name !== 'help');
    expect(commands).toEqual(
      expect.arrayContaining(['list', 'show', 'pull', 'add', 'verify', 'use', 'remove']),
    );
    for (const command of commands) {
      const help = await rig.run(['model', command, '--help']);
      expect([help.code, help.stdout], command).toEqual([0, expect.stringContaining('Example:')]);
    }
  });
});

describe('model pull squeezenet1_1', () => {
  /** Bytes that wait for the rest. */
  async function downloaded(directory: string): Promise<number> {
    const names = await readdir(directory).catch(() => []);
    const part = names.find((name) => name.endsWith('.part'));
    return part === undefined ? 0 : (await stat(join(directory, part))).size;
  }

  itThorough('survives being killed: the next one goes on, and nothing half is listed', async () => {
    const file = squeezeNetPth();
    await using server = await FileServer.open(file);
    server.stallAfter = 2_000_000;
    const pull = [
      'model',
      'pull',
      'squeezenet1_1',
      '--from',
      server.url,
      '--sha256',
      createHash('sha256').update(file).digest('hex'),
    ];
    const first = rig.start(pull, env);
    const parts = join(env['VISIONSCALE_MODELS']!, '.downloads');
    await expect.poll(() => downloaded(parts), { timeout: 20_000 }).toBeGreaterThan(0);
    first.process.kill('SIGKILL');
    await first.ended;
    expect(await installed()).toEqual([]);
    expect(await rig.json(pull, env)).toMatchObject({ name: 'squeezenet1_1', verified: true, active: true });
    expect(server.requests.at(-1)?.range).toMatch(/^bytes=\d+-$/);
    expect(await rig.json(['model', 'verify'], env)).toMatchObject({ ok: true, classes: 1000 });
    expect(await readdir(parts)).toEqual([]);
  });

  itThorough('is interrupted by SIGINT with what to do', async () => {
    await using server = await FileServer.open(squeezeNetPth());
    server.stallAfter = 2_000_000;
    const running = rig.start(['model', 'pull', 'squeezenet1_1', '--from', server.url], env);
    const parts = join(env['VISIONSCALE_MODELS']!, '.downloads');
    await expect.poll(() => downloaded(parts), { timeout: 20_000 }).toBeGreaterThan(0);
    running.process.kill('SIGINT');
    const ended = await running.ended;
    expect([ended.code, ended.stderr]).toEqual([
      130,
      expect.stringContaining('Downloads resume: run the same command again'),
    ]);
    expect(ended.stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
  });
});

describe('model pull', () => {
  it('without a name lists what there is', async () => {
    const listed = await rig.run(['model', 'pull'], env);
    expect([listed.code, listed.stdout]).toEqual([
      0,
      expect.stringMatching(/squeezenet1_1 +58\.2 % +1\.00 +5 MB/),
    ]);
    const models = await rig.json<{ name: string; license: string }[]>(['model', 'pull'], env);
    expect(models.map(({ name }) => name)).toContain('mobilenetv4_conv_small');
    expect(existsSync(env['VISIONSCALE_MODELS']!)).toBe(false);
  });

  it('hf:… gets a model of the hub, by whose name it is used and shown', async () => {
    await using hub = await HubServer.open();
    const commit = 'c'.repeat(40);
    const files = {
      'config.json': Buffer.from('{"id2label":{"0":"red","1":"green","2":"blue"}}'),
      'preprocessor_config.json': Buffer.from(
        '{"size":{"shortest_edge":8},"crop_size":{"height":8,"width":8},"image_mean":[0,0,0],"image_std":[1,1,1]}',
      ),
      'onnx/model.onnx': tinyWeights('mean'),
    };
    hub.repositories['owner/colours'] = {
      commits: { [commit]: files },
      refs: { main: commit },
      access: 'gated',
      license: 'mit',
    };
    const open = { ...env, HF_ENDPOINT: hub.url };
    const shut = await rig.run(['model', 'pull', 'hf:owner/colours'], open);
    expect([shut.code, shut.stderr]).toEqual([1, expect.stringContaining('set HF_TOKEN')]);

    const token = { ...open, HF_TOKEN: hub.token };
    const pulled = await rig.run(['model', 'pull', 'hf:owner/colours'], token);
    expect([pulled.code, pulled.stdout]).toEqual([
      0,
      expect.stringMatching(/^installed colours@[0-9a-f]{8} \(licence: mit\); it is the active model\n$/),
    ]);
    expect(`${pulled.stdout}${pulled.stderr}`).not.toContain('sesame');
    expect(hub.cdn.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
    expect(await rig.json(['model', 'pull', 'hf:owner/colours'], token)).toMatchObject({
      name: 'colours',
      verified: true,
      commit,
      active: true,
    });
    expect(await rig.json(['model', 'show', 'hf:owner/colours'], env)).toMatchObject({ name: 'colours' });
    expect(await rig.json(['model', 'use', 'hf:owner/colours'], env)).toMatchObject({ name: 'colours' });
    const args = ['classify', 'photographs', '--local', '--json', '--model', 'hf:owner/colours'];
    const [line] = (await rig.run(args, env)).stdout.split('\n');
    expect(JSON.parse(line!)).toMatchObject({ category: 'green' });
  });
});

describe('a command that wants a model and has none', () => {
  const title = '%s names model pull squeezenet1_1, and downloads only with --yes';
  const offers = async (...args: string[]) => {
    await using proxy = await RefusingProxy.open();
    const proxied = { ...env, https_proxy: proxy.url };
    const without = await rig.run(args, proxied);
    expect([without.code, without.stderr]).toEqual([1, expect.stringContaining('model pull squeezenet1_1')]);
    expect(proxy.asked).toEqual([]);
    const running = rig.start([...args, '--yes'], proxied);
    await running.said(/download\.pytorch\.org.*trying again/);
    running.process.kill('SIGINT');
    expect((await running.ended).code).toBe(130);
    expect(proxy.asked).toContain('download.pytorch.org:443');
  };
  it.each([['classify', 'photographs', '--local']])(title, offers);
  it.runIf(thorough).each([['demo', 'photographs'], ['consume']])(thoroughTitle(title), offers);

  const hasScript = process.platform === 'linux' && spawnSync('script', ['--version']).status === 0;
  it.runIf(hasScript && thorough)(thoroughTitle('is asked on a terminal [needs script(1)]'), async () => {
    await using proxy = await RefusingProxy.open();
    const binary = fileURLToPath(new URL('../../bin/visionscale.js', import.meta.url));
    const command = `'${process.execPath}' '${binary}' classify photographs --local`;
    for (const [answer, asked] of [
      ['n', false],
      ['', true],
    ] as const) {
      const child = spawn('script', ['-qec', command, '/dev/null'], {
        cwd: rig.dir,
        env: { ...rig.env, ...env, HTTPS_PROXY: proxy.url },
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      child.stdin.on('error', () => undefined); // it may have ended before the last Ctrl-C
      let output = '';
      let answered = false;
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk;
        if (!answered && output.includes('[Y/n]')) {
          answered = true;
          child.stdin.write(`${answer}\n`);
        }
        if (output.includes('trying again')) child.stdin.write('\x03');
      });
      await once(child, 'close');
      expect(output).toContain('Download SqueezeNet ImageNet, 5 MB? [Y/n]');
      expect(proxy.asked.length > 0).toBe(asked);
    }
  });
});
