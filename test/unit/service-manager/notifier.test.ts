/** States sent through a program in the place of systemd-notify, and what happens without it. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Notifier } from '../../../src/lib/observe/service-manager/supervised.ts';

describe('the notifier', () => {
  let dir: string;
  let notices: string[];
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'visionscale-notifier-'));
    notices = [];
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const notifier = (path = `${dir}:${process.env['PATH']}`) =>
    new Notifier({ socket: '/run/none', watchdogMs: undefined, path }, (text) => notices.push(text));
  const program = (body: string) => {
    writeFileSync(join(dir, 'systemd-notify'), `#!/bin/sh\ncd '${dir}'\n${body}\n`);
    chmodSync(join(dir, 'systemd-notify'), 0o755);
  };
  const calls = () => readFileSync(join(dir, 'calls'), 'utf8').trim().split('\n');

  it('runs one program at a time, and sends the newest of what came meanwhile', async () => {
    program(
      'mkdir running || echo two-at-once >>calls; echo "$* to $NOTIFY_SOCKET" >>calls; sleep 0.2; rmdir running',
    );
    const subject = notifier();
    subject.send({ STATUS: 'first' });
    for (let n = 0; n < 50; n++) subject.send({ STATUS: `number ${n}`, WATCHDOG: '1' });
    subject.send({ READY: '1' });
    await subject.flushed();
    expect(calls()).toEqual([
      'STATUS=first to /run/none',
      'STATUS=number 49 WATCHDOG=1 READY=1 to /run/none',
    ]);
  });

  it('tells once that the program is absent, and goes on', async () => {
    const subject = notifier(dir);
    subject.send({ READY: '1' });
    await subject.flushed();
    subject.send({ STATUS: 'later' });
    await subject.flushed();
    expect(notices).toEqual([expect.stringContaining('systemd-notify is not installed')]);
  });

  it('sends again what failed, but no old ping, and tells of it once', async () => {
    program('[ -e works ] && echo "$*" >>calls || exit 1');
    const subject = notifier();
    subject.send({ READY: '1', STATUS: 'old', WATCHDOG: '1' });
    await subject.flushed();
    subject.send({ STATUS: 'still' });
    await subject.flushed();
    expect(existsSync(join(dir, 'calls'))).toBe(false);
    expect(notices).toHaveLength(1);
    writeFileSync(join(dir, 'works'), '');
    subject.send({ STATUS: 'new' });
    await subject.flushed();
    expect(calls()).toHaveLength(1);
    expect(calls()[0]!.split(' ').sort()).toEqual(['READY=1', 'STATUS=new']);
  });

  it('keeps a state on one line', async () => {
    program('for word in "$@"; do echo "$word" >>calls; done');
    const subject = notifier();
    subject.send({ STATUS: `a\nREADY=1\r\u0000${'x'.repeat(1000)}` });
    await subject.flushed();
    expect(calls()).toHaveLength(1);
    expect(calls()[0]!.length).toBeLessThan(420);
  });
});
