/** Work in stages: each counts from nought, and says how far it is where there is no terminal. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { StageBars } from '../../../src/commands/shared/stage-bars.ts';

describe('bars of stages', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('counts each stage from its beginning', () => {
    const lines: string[] = [];
    using bars = new StageBars({ interactive: false, say: (line) => void lines.push(line) });
    bars.begin('read', 'files', 10);
    bars.advance(3);
    vi.advanceTimersByTime(2500);
    bars.reach(5, 20);
    expect([bars.label, bars.done]).toEqual(['read', 5]);
    bars.begin('judge', 'images', 8);
    vi.advanceTimersByTime(2500);
    bars.reach(1);
    expect(lines).toEqual(['read: 5 of 20 files, 2/s', 'judge: 1 of 8 images, 0/s']);
  });

  it('counts nothing once a stage has ended', () => {
    const say = vi.fn();
    using bars = new StageBars({ interactive: false, say });
    bars.begin('read', 'files', 10);
    bars.end();
    expect([bars.label, bars.done]).toEqual([undefined, 0]);
    vi.advanceTimersByTime(2500);
    bars.advance(1);
    expect(say).not.toHaveBeenCalled();
  });
});
