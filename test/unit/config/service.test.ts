/** What a service manager says in the environment. */
import { describe, expect, it } from 'vitest';
import { takeServiceSettings } from '../../../src/lib/config/environment.ts';

describe('the settings from a service manager', () => {
  it('are taken out of the environment, so that no child reports in our name', () => {
    const env = {
      NOTIFY_SOCKET: '/run/systemd/notify',
      WATCHDOG_USEC: '30000000',
      WATCHDOG_PID: '7',
      PATH: '/bin',
    };
    expect(takeServiceSettings(env, 7)).toEqual({
      socket: '/run/systemd/notify',
      watchdogMs: 30_000,
      path: '/bin',
    });
    expect(env).toEqual({ PATH: '/bin' });
  });

  it.each([
    ['no socket', { WATCHDOG_USEC: '1000' }],
    ['an empty socket', { NOTIFY_SOCKET: '' }],
    ['what is no address', { NOTIFY_SOCKET: 'vsock:2:3' }],
  ])('are absent with %s', (_, env) => {
    expect(takeServiceSettings(env, 7)).toBeUndefined();
  });

  it.each([
    ['another process', { WATCHDOG_USEC: '1000', WATCHDOG_PID: '8' }],
    ['no time', { WATCHDOG_PID: '7' }],
    ['nonsense', { WATCHDOG_USEC: '-1' }],
    ['zero', { WATCHDOG_USEC: '0' }],
  ])('have no watchdog with one for %s', (_, env) => {
    const found = takeServiceSettings({ NOTIFY_SOCKET: '@abstract', ...env }, 7);
    expect(found).toMatchObject({ socket: '@abstract', watchdogMs: undefined });
  });
});
