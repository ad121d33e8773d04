/** Hosts made of network namespaces on a bridge, which can be cut off. Only inside the namespace that `start` makes. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Launch } from './supervised.ts';

/** The servers' host: the bridge itself. There is no way from it to any other network. */
export const bridgeAddress = '10.117.0.1';
const bridge = 'faults';

export interface Hosts {
  /** The same command on the host of that name; the process id stays what it is. */
  on(name: string, launch: Launch): Launch;
  has(name: string): boolean;
  /** What is sent to it or by it vanishes, and its own side sees nothing of it. */
  cut(name: string): Promise<void>;
  mend(name: string): Promise<void>;
}

const run = promisify(execFile);
const ip = (words: string) => run('ip', words.split(' '));

/** Whether `start` could make namespaces. */
export function isIsolated(): boolean {
  return process.env['VISIONSCALE_FAULTS_ISOLATED'] === '1';
}

export async function makeHosts(names: readonly string[]): Promise<Hosts> {
  await ip(`link add ${bridge} type bridge`);
  await ip(`addr add ${bridgeAddress}/24 dev ${bridge}`);
  await ip(`link set ${bridge} up`);
  for (const [at, name] of names.entries()) {
    await ip(`netns add ${name}`);
    await ip(`link add to-${name} type veth peer name eth0 netns ${name}`);
    await ip(`link set to-${name} master ${bridge} up`);
    await ip(`-n ${name} addr add 10.117.0.${11 + at}/24 dev eth0`);
    await ip(`-n ${name} link set lo up`);
    await ip(`-n ${name} link set eth0 up`);
  }
  return {
    on: (name, launch) =>
      names.includes(name)
        ? { ...launch, command: 'ip', args: ['netns', 'exec', name, launch.command, ...launch.args] }
        : launch,
    has: (name) => names.includes(name),
    // Off the bridge rather than down: a link that is down takes the carrier of the host's own side with it.
    cut: async (name) => void (await ip(`link set to-${name} nomaster`)),
    mend: async (name) => void (await ip(`link set to-${name} master ${bridge}`)),
  };
}
