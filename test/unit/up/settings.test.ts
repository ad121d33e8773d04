/** What `up --print-env` prints: everything another terminal needs, in a form that no value can break out of. */
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  exportLines,
  missingSecrets,
  settingsFor,
  sharedSettings,
} from '../../../src/lib/local/up/settings.ts';

describe('the settings that `up` shares', () => {
  it('are where things are, with absolute paths, and never a secret', () => {
    const shared = sharedSettings({
      VISIONSCALE_DATA_DIR: 'data',
      VISIONSCALE_MODEL: 'parts@2',
      VISIONSCALE_LOG_LEVEL: 'debug',
      VISIONSCALE_METRICS_PORT: '9464',
      KAFKA_BROKERS: 'kafka:9092',
      DATABASE_URL: 'postgres://me:hunter2@db/x',
      PGPASSWORD_FILE: 'secrets/password',
      AWS_SECRET_ACCESS_KEY: 'hunter3',
      PATH: '/bin',
    });
    expect(shared.env).toEqual({
      VISIONSCALE_DATA_DIR: resolve('data'),
      VISIONSCALE_MODEL: 'parts@2',
      KAFKA_BROKERS: 'kafka:9092',
      PGPASSWORD_FILE: resolve('secrets/password'),
    });
    expect(shared.secrets).toEqual(['DATABASE_URL', 'AWS_SECRET_ACCESS_KEY']);
    expect(JSON.stringify(shared)).not.toContain('hunter');
    expect(missingSecrets(shared, { AWS_SECRET_ACCESS_KEY: 'x' })).toEqual(['DATABASE_URL']);
    expect(missingSecrets(shared, { AWS_SECRET_ACCESS_KEY: 'x', DATABASE_URL_FILE: 'y' })).toEqual([]);
  });

  it('undo what would lead a terminal elsewhere, and nothing else', () => {
    const up = { env: { VISIONSCALE_DATA_DIR: '/d', KAFKA_TOPIC: 'a' }, secrets: ['PGPASSWORD'] };
    const terminal = {
      KAFKA_BROKERS: 'elsewhere:9092',
      KAFKA_TOPIC: 'b',
      DATABASE_URL_FILE: '/elsewhere',
      PGPASSWORD: 'same',
      VISIONSCALE_LOG_LEVEL: 'debug',
    };
    expect(settingsFor(up, terminal)).toEqual({
      VISIONSCALE_DATA_DIR: '/d',
      KAFKA_TOPIC: 'a',
      KAFKA_BROKERS: '',
      DATABASE_URL_FILE: '',
    });
  });

  it.runIf(process.platform !== 'win32')('come through a shell as they are', () => {
    const values = [
      'plain/path-1.2',
      "it's",
      '$(touch /tmp/x) `id` $HOME "quoted" \\ back\nnext line',
      '; exit 1 #',
      'größe 箱 *?[a]',
      '~',
      '',
      "''",
    ];
    const env = Object.fromEntries(values.map((value, n) => [`V${n}`, value]));
    const print = `process.stdout.write(JSON.stringify(Object.keys(process.env).filter((n) => /^V\\d$/.test(n)).sort().map((n) => process.env[n])))`;
    const script = 'eval "$(printf %s "$1")"; exec "$2" -e "$3"';
    const stdout = execFileSync('sh', ['-euc', script, 'sh', exportLines(env), process.execPath, print], {
      env: { HOME: '/nowhere', PATH: process.env['PATH'] },
      encoding: 'utf8',
    });
    expect(JSON.parse(stdout)).toEqual(values);
  });
});
