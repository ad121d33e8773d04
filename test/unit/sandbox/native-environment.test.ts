import { afterEach, expect, it, vi } from 'vitest';
import { childEnvironment } from '../../../src/lib/base/sandbox/native-environment.ts';

afterEach(() => vi.unstubAllEnvs());

it('gives a process that handles bytes from outside no secret, and what else it needs', () => {
  for (const name of ['HF_TOKEN', 'AWS_SECRET_ACCESS_KEY', 'PGPASSWORD', 'https_proxy', 'VISIONSCALE_TOKEN'])
    vi.stubEnv(name, 'sesame');
  vi.stubEnv('LANG', 'C');
  const given = childEnvironment();
  expect(Object.values(given)).not.toContain('sesame');
  expect(given).toMatchObject({ LANG: 'C', PATH: process.env['PATH'] });
});
