/** The embedded stack: PostgreSQL of the data directory, the topic in it, the images in a directory. */
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { postgresOf, until, untilGone } from '../support/guest.ts';
import type { Stack } from './stack.ts';

/** `dir` holds everything; whoever made it removes it. */
export async function embeddedStack(dir: string): Promise<Stack> {
  const dataDir = join(dir, 'data');
  const images = join(dir, 'images');
  await mkdir(images, { recursive: true });
  let killed = 0;
  return {
    kind: 'embedded',
    env: { VISIONSCALE_DATA_DIR: dataDir, VISIONSCALE_STORE: `file://${images}` },
    async killDatabase() {
      killed = await postgresOf(dataDir);
      process.kill(killed, 'SIGKILL');
      await untilGone(killed);
    },
    // Its keeper starts it again by itself.
    async restartDatabase() {
      await until('another embedded PostgreSQL', async () => {
        const found = await postgresOf(dataDir).catch(() => 0);
        return found !== 0 && found !== killed;
      });
    },
    // As a network drive that is no longer mounted.
    killStore: () => rename(images, `${images}.away`),
    restartStore: () => rename(`${images}.away`, images),
    brokers: 0,
    killBroker: () => Promise.reject(new Error('no broker here')),
    restartBroker: () => Promise.reject(new Error('no broker here')),
    throttle: null,
    hosts: null,
    disks: null,
    prepare: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
