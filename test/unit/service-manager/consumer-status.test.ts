/** The line that `systemctl status` shows. */
import { describe, expect, it } from 'vitest';
import { ConsumerStatus } from '../../../src/lib/observe/service-manager/consumer-status.ts';
import type { RecordedEvent } from '../../../src/lib/pipeline/consume/options.ts';

function recorded(
  partition: number,
  counts: Pick<RecordedEvent, 'predicted' | 'deadLettered' | 'lag'>,
): RecordedEvent {
  return {
    kind: 'recorded',
    partition,
    ignored: 0,
    oldest: null,
    outcomes: [],
    predictions: [],
    began: 0,
    ended: 1,
    ...counts,
  };
}

describe('the status line of a consumer', () => {
  it('follows a consumer from standing by to released', () => {
    const status = new ConsumerStatus();
    expect(status.line()).toBe('no partition; 0 predictions, 0 dead letters');
    expect(status.see({ kind: 'standing by', partition: 1, holder: 'a:7 on host' })).toBe(true);
    expect(status.line()).toBe(
      'standing by for partition 1, owned by a:7 on host; 0 predictions, 0 dead letters',
    );
    expect(status.see({ kind: 'owning', partition: 1, epoch: 2, from: 5, lag: 9 })).toBe(true);
    expect(status.line()).toBe('partition 1: consuming, lag 9; 0 predictions, 0 dead letters');
    expect(status.see(recorded(1, { predicted: 3, deadLettered: 1, lag: 6 }))).toBe(false);
    expect(status.see({ kind: 'lag', partition: 1, lag: 5, oldest: 1 })).toBe(false);
    expect(status.line()).toBe('partition 1: consuming, lag 5; 3 predictions, 1 dead letter');
    expect(status.see({ kind: 'waiting', partition: 1, reason: 'access denied' })).toBe(true);
    expect(status.line()).toContain('partition 1: waiting: access denied, lag 5');
    expect(status.see({ kind: 'going on', partition: 1 })).toBe(true);
    expect(status.line()).toContain('partition 1: consuming, lag 5');
    expect(status.see({ kind: 'lost', partition: 1, epoch: 2 })).toBe(true);
    expect(status.see({ kind: 'released', partition: 1 })).toBe(false);
    expect(status.line()).toBe('no partition; 3 predictions, 1 dead letter');
  });

  it('says what it waits for before it owns anything, and lists partitions in order', () => {
    const status = new ConsumerStatus();
    status.see({ kind: 'waiting', partition: 0, reason: 'the database is away' });
    expect(status.line()).toMatch(/^partition 0: waiting: the database is away;/);
    status.see({ kind: 'owning', partition: 2, epoch: 1, from: 0, lag: 0 });
    status.see({ kind: 'owning', partition: 0, epoch: 1, from: 0, lag: 4 });
    expect(status.line()).toMatch(/^partition 0: consuming, lag 4; partition 2: consuming, lag 0;/);
  });
});
