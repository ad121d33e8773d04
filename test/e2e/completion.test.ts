/** The completion scripts, in the shells themselves as far as they are installed. */
import { execFile, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Rig } from '../support/binary.ts';

const execute = promisify(execFile);
const has = (shell: string) => spawnSync(shell, ['-c', 'true']).status === 0;

let rig: Rig;
const scriptOf = async (shell: string) => {
  const { code, stdout, stderr } = await rig.run(['completion', shell]);
  expect([code, stderr]).toEqual([0, '']);
  const file = join(rig.dir, shell);
  writeFileSync(file, stdout);
  return file;
};
beforeAll(async () => {
  rig = await Rig.open();
});
afterAll(() => rig[Symbol.asyncDispose]());

describe.skipIf(!has('bash'))('bash', () => {
  /** What it offers behind these words, the last of which is being typed. */
  async function offered(file: string, words: string[]): Promise<string[]> {
    const typed = words.map((word) => `'${word}'`).join(' ');
    const { stdout } = await execute('bash', [
      '--norc',
      '-c',
      `source "$0" && complete -p visionscale >&2 && COMP_WORDS=(visionscale ${typed}) COMP_CWORD=${words.length} && ` +
        '{ _visionscale || true; } && printf "%s\\n" "${COMPREPLY[@]}"',
      file,
    ]);
    return stdout.split('\n').filter((word) => word !== '');
  }

  it('completes commands, their parts, flags and values', async () => {
    const file = await scriptOf('bash');
    expect(await offered(file, ['dea'])).toEqual(['dead-letters']);
    expect(await offered(file, ['model', 'pu'])).toEqual(['pull', 'publish']);
    expect(await offered(file, ['dead-letters', 'list', '--sta'])).toEqual(['--stage', '--state']);
    expect(await offered(file, ['dead-letters', 'list', '--state', ''])).toEqual([
      'open',
      'resolved',
      'dropped',
      'all',
    ]);
    expect(await offered(file, ['dead-letters', 'list', '--state', '=', 'op'])).toEqual(['open']);
    expect(await offered(file, ['consume', '--log-level', 'd'])).toEqual(['debug']);
    expect(await offered(file, ['completion', ''])).toEqual(['bash', 'zsh', 'fish']);
    // The value of a flag is no command, and may be a file, which bash itself completes.
    expect(await offered(file, ['results', '--key', 'export', '--cs'])).toEqual(['--csv']);
    expect(await offered(file, ['results', '--key', '='])).toEqual([]);
    expect(await offered(file, ['train', '--out', ''])).toEqual([]);
    expect(await offered(file, ['upload', ''])).toEqual([]);
  });
});

describe.skipIf(!has('fish'))('fish', () => {
  it('completes commands, flags and values', async () => {
    const file = await scriptOf('fish');
    const offered = async (line: string) => {
      const { stdout } = await execute('fish', [
        '--no-config',
        '-c',
        `source ${JSON.stringify(file)}; complete -C $argv[1]`,
        line,
      ]);
      return stdout.split('\n').flatMap((one) => one.split('\t')[0] || []);
    };
    expect(await offered('visionscale dea')).toEqual(['dead-letters']);
    expect((await offered('visionscale model pu')).sort()).toEqual(['publish', 'pull']);
    expect((await offered('visionscale dead-letters list --state ')).sort()).toEqual([
      'all',
      'dropped',
      'open',
      'resolved',
    ]);
    expect(await offered('visionscale results --key export --cs')).toEqual(['--csv']);
  });
});

describe.skipIf(!has('zsh'))('zsh', () => {
  it('completes commands, flags and values', async () => {
    const file = await scriptOf('zsh');
    /** What it hands to the functions that offer words. */
    const offered = async (...words: string[]) => {
      const { stdout } = await execute('zsh', [
        '-f',
        '-c',
        'compdef() { :; }; compset() { :; }; _files() { print files; }; compadd() { shift; print -l -- "$@"; }; ' +
          '_describe() { print -l -- "${(@P)@[-1]}"; }; file=$1; shift; source $file; words=(visionscale "$@"); ' +
          'CURRENT=$#words; _visionscale',
        'zsh',
        file,
        ...words,
      ]);
      return stdout.trim().split('\n');
    };
    expect(await offered('dea')).toContain(
      'dead-letters:List, retry and drop what could not be classified, or move a message there',
    );
    expect(await offered('model', '')).toContain(
      'pull:Download SqueezeNet for ImageNet (5 MB), check it and convert it',
    );
    expect(await offered('dead-letters', 'list', '--state', '')).toEqual([
      'open',
      'resolved',
      'dropped',
      'all',
    ]);
    expect(await offered('dead-letters', 'list', '--state=')).toEqual(['open', 'resolved', 'dropped', 'all']);
    expect(await offered('results', '--key', 'export', '-')).toContain('--csv:Print CSV with a header line');
    expect(await offered('upload', '')).toEqual(['files']);
  });
});

it('refuses other shells', async () => {
  const { code, stderr } = await rig.run(['completion', 'tcsh']);
  expect([code, stderr]).toEqual([2, expect.stringContaining('bash, zsh, fish')]);
});
