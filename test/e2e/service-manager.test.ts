/** A consumer under a service manager: ready, how it fares, alive while its event loop is, stopping. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Rig } from '../support/binary.ts';
import { writeColorModel } from '../support/color-model.ts';
import { havePython, type NotifySocket, openNotifySocket } from '../support/notify-socket.ts';
import { itThorough } from '../support/thorough.ts';

const title = 'a consumer started by systemd';
const suite = havePython
  ? (run: () => void) => describe(title, run)
  : (run: () => void) => describe.skip(`${title} [skipped: no python3]`, run);

suite(() => {
  let rig: Rig;
  let dir: string;

  beforeAll(async () => {
    rig = await Rig.open();
    rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
    rig.env['VISIONSCALE_WORKERS'] = '1';
    dir = mkdtempSync(join(tmpdir(), 'vs-notify-'));
    await rig.json(['init']);
  });
  afterAll(async () => {
    await rig?.[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true });
  });

  const start = (socket: NotifySocket, watchdogMs: number) =>
    rig.start(['consume', '--partition', '0'], {
      NOTIFY_SOCKET: socket.address,
      WATCHDOG_USEC: `${watchdogMs * 1000}`,
      PATH: socket.path,
    });

  itThorough(
    'says that it is ready, what it does, that it lives, and that it stops',
    async () => {
      const own = mkdtempSync(join(dir, 'a'));
      await using socket = await openNotifySocket(own);
      const consumer = start(socket, 600);
      await socket.until(/^READY=1$/m);
      await socket.until(/^STATUS=partition 0: consuming, lag 0; 0 predictions, 0 dead letters$/m);

      await using other = await openNotifySocket(mkdtempSync(join(dir, 'b')));
      const standby = start(other, 600);
      await other.until(/^READY=1$/m);
      await other.until(/^STATUS=standing by for partition 0, owned by /m);

      // Alive while its event loop runs, silent while it does not.
      const pings = () => socket.received.filter((datagram) => /^WATCHDOG=1$/m.test(datagram)).length;
      const quiet = async () => {
        for (let before = -1; before !== pings();) {
          before = pings();
          await new Promise((resolve) => setTimeout(resolve, 900));
        }
        return pings();
      };
      await socket.until(/^WATCHDOG=1$/m);
      consumer.process.kill('SIGSTOP');
      const frozen = await quiet();
      consumer.process.kill('SIGCONT');
      socket.received.length = 0;
      await socket.until(/^WATCHDOG=1$/m);
      expect(frozen).toBeGreaterThan(0);

      consumer.process.kill('SIGTERM');
      await socket.until(/^STOPPING=1$/m);
      standby.process.kill('SIGTERM');
      expect((await consumer.ended).code).toBe(0);
      expect((await standby.ended).code).toBe(0);
      // PostgreSQL, which the consumer may have started, is not told of the socket.
      expect(socket.received.join('\n')).not.toMatch(/MAINPID|postgres|database system is ready/i);
    },
    60_000,
  );

  it('goes on without anybody listening, and says so once', async () => {
    const own = mkdtempSync(join(dir, 'c'));
    const consumer = rig.start(['consume', '--partition', '0'], {
      NOTIFY_SOCKET: join(own, 'nobody'),
      WATCHDOG_USEC: '400000',
      PATH: '/nonexistent',
    });
    await consumer.said(/consuming/);
    await consumer.said(/systemd-notify is not installed/);
    consumer.process.kill('SIGTERM');
    const ended = await consumer.ended;
    expect(ended.code).toBe(0);
    expect(ended.stderr.match(/systemd-notify/g)).toHaveLength(1);
  }, 60_000);
});
