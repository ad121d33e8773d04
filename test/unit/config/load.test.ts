import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { UsageError } from '../../../src/lib/base/errors.ts';
import { loadConfig } from '../../../src/lib/config/load.ts';

function faults(env: Record<string, string>): string {
  try {
    loadConfig(env);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message;
  }
  throw new Error('was accepted');
}

describe('loadConfig', () => {
  it('is embedded in everything without any setting', () => {
    const config = loadConfig({ XDG_DATA_HOME: '/data' });
    expect(config.dataDir).toBe('/data/visionscale');
    expect(config.database).toEqual({ kind: 'embedded', dataDir: '/data/visionscale' });
    expect(config.topic).toEqual({ kind: 'embedded', name: 'visionscale.images', partitions: 3 });
    expect(config.store).toEqual({ kind: 'file', dir: '/data/visionscale/images' });
  });

  it('takes each real part on its own', () => {
    const config = loadConfig({ KAFKA_BROKERS: 'a:9092, b:9092', VISIONSCALE_DATA_DIR: '/d' });
    expect(config.database.kind).toBe('embedded');
    expect(config.topic).toMatchObject({ kind: 'kafka', brokers: 'a:9092,b:9092', properties: {} });
    expect(
      loadConfig({ VISIONSCALE_STORE: 's3://bucket/a/b', S3_ENDPOINT: 'http://127.0.0.1:9000' }).store,
    ).toEqual({
      kind: 's3',
      bucket: 'bucket',
      prefix: 'a/b',
      endpoint: 'http://127.0.0.1:9000',
    });
  });

  it('knows the hub, and a token for it from a file', () => {
    expect(loadConfig({}).hub).toEqual({ endpoint: 'https://huggingface.co' });
    const file = join(mkdtempSync(join(tmpdir(), 'visionscale-config-')), 'token');
    writeFileSync(file, 'hf_x\n');
    expect(loadConfig({ HF_ENDPOINT: 'http://mirror', HF_TOKEN_FILE: file }).hub).toEqual({
      endpoint: 'http://mirror',
      token: 'hf_x',
    });
  });

  it('tells every fault in one message', () => {
    const message = faults({
      VISIONSCALE_PARTITIONS: 'three',
      KAFKA_BROKERS: 'kafka',
      VISIONSCALE_STROE: 's3://x',
      VISIONSCALE_ENGINE: 'torch',
    });
    expect(message).toContain('4 settings are wrong');
    expect(message).toContain('VISIONSCALE_PARTITIONS (--partitions) must be a whole number from 1 to 1000');
    expect(message).toContain('VISIONSCALE_STROE is not a setting (did you mean VISIONSCALE_STORE?)');
    expect(message).toContain('KAFKA_BROKERS (--brokers) must be host:port');
    expect(message).toContain('VISIONSCALE_ENGINE (--engine) must be auto, onnx, tfjs or wasm');
  });

  it.each([
    [{ VISIONSCALE_PORT: '80' }, 'VISIONSCALE_PORT is not a setting (did you mean VISIONSCALE_HTTP_PORT?)'],
    [
      { VISIONSCALE_DATABASE_URL: 'postgres://h/d' },
      'VISIONSCALE_DATABASE_URL is not a setting (did you mean DATABASE_URL?)',
    ],
    [{ KAFKA_BROKER: 'k:9092' }, 'KAFKA_BROKER is not a setting (did you mean KAFKA_BROKERS?)'],
    [{ DATABSE_URL: 'postgres://h/d' }, 'DATABSE_URL is not a setting (did you mean DATABASE_URL?)'],
    [{ S3_ENDPIONT: 'http://h' }, 'S3_ENDPIONT is not a setting (did you mean S3_ENDPOINT?)'],
  ])('names what %j probably means', (env, message) => {
    expect(faults(env)).toContain(message);
  });

  it.each([
    { FTP_PROXY: 'http://p' },
    { PGPASSFILE: '/x' },
    { KAFKA_BROKER: '', KAFKA_BROKERS: 'k:9092' },
    { KAFKA_BROKER: 'old:1', KAFKA_BROKERS: 'k:9092' },
    { PGHOSTADDR: '::1', HTTP_PROXIES: 'x' },
    { GH_TOKEN: 'x', NPM_TOKEN: 'y', HF_HOME: '/x', HF_TOKEN: 'a b', HF_ENDPOINT: 'mirror' },
  ])('leaves %j to other programs', (env) => {
    expect(() => loadConfig(env)).not.toThrow();
  });

  it('puts my_db into a database URL that names none', () => {
    const { database } = loadConfig({ DATABASE_URL: 'postgres://user:p%40ss@host:5433' });
    expect(database).toMatchObject({
      kind: 'server',
      connection: { connectionString: 'postgres://user:p%40ss@host:5433/my_db' },
    });
    expect(loadConfig({ PGHOST: 'db', PGUSER: 'me' }).database).toMatchObject({
      connection: { host: 'db', port: 5432, user: 'me', database: 'my_db' },
    });
  });

  it.each([
    'k:0',
    'k:99999',
    'k:',
    ':9092',
    'kafka://k:9092',
    'a:1,,b:2',
    'a b:1',
    'a:1:2',
    '::1:9092',
    '[::1%]:1',
    ' ',
  ])('refuses brokers at %j', (given) => {
    expect(faults({ KAFKA_BROKERS: given })).toMatch(/^KAFKA_BROKERS \(--brokers\) must be host:port/);
  });

  it.each([
    ['k:1', 'k:1'],
    [' a.b-c_d:9092 ,\t[::1]:65535', 'a.b-c_d:9092,[::1]:65535'],
    ['SASL_SSL://k:9093', 'SASL_SSL://k:9093'],
    ['[fe80::1%eth0]:9092', '[fe80::1%eth0]:9092'],
  ])('takes brokers at %j', (given, brokers) => {
    expect(loadConfig({ KAFKA_BROKERS: given }).topic).toMatchObject({ brokers });
  });

  it('says what a store looks like, among other faults too', () => {
    const hint = (env: Record<string, string>) => {
      try {
        loadConfig(env);
      } catch (error) {
        return (error as UsageError).hint;
      }
      return 'was accepted';
    };
    expect(hint({ VISIONSCALE_STORE: 'bucket' })).toMatch(/s3:\/\/bucket, .* or file:\/\/\/directory/);
    expect(hint({ VISIONSCALE_DATA_DIR: '/a\nb' })).toContain('VISIONSCALE_DATA_DIR');
    expect(hint({ VISIONSCALE_STORE: '/a b', VISIONSCALE_NOSUCH: '1' })).toContain('file:///a%20b');
  });

  it.each([
    [{ HOME: '', VISIONSCALE_DATA_DIR: '/data' }, 'VISIONSCALE_MODELS'],
    [{ HOME: '', VISIONSCALE_MODELS: '/models' }, 'VISIONSCALE_DATA_DIR'],
  ])('asks a user without a home for what is missing: %j', (env, missing) => {
    vi.stubEnv('HOME', env.HOME);
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(() => loadConfig(env)).toThrow(
      expect.objectContaining({
        message: 'this user has no home directory',
        hint: expect.stringContaining(missing) as unknown,
      }),
    );
  });

  it.each(['s3cret#@h/db', '12/s3cret@h/db', '12?s3cret@h/db', 'x#s3cret/y?z@h:1/db'])(
    'refuses the bare password in postgres://u:%s, part of which it would take for the host',
    (rest) => {
      expect(faults({ DATABASE_URL: `postgres://u:${rest}` })).toBe(
        'DATABASE_URL is not a valid URL (special characters in the password are percent-encoded)',
      );
    },
  );

  it.each(['u:p@s@h/db', 'u:p%23%3F%2F%40@h/db', 'u@h/a%40b?application_name=me@work', '/db?user=me@tenant'])(
    'takes postgres://%s',
    (rest) => {
      expect(loadConfig({ DATABASE_URL: `postgres://${rest}` }).database.kind).toBe('server');
    },
  );

  it('never repeats a secret', () => {
    expect(faults({ DATABASE_URL: 'mysql://root:hunter2@host/db' })).toBe(
      'DATABASE_URL must begin with postgres:// or postgresql://',
    );
    expect(faults({ VISIONSCALE_STORE: 's3://key:hunter2@bucket' })).not.toContain('hunter2');
  });

  it('reads secrets from files', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'visionscale-')), 'password');
    writeFileSync(file, 'from file\n');
    expect(loadConfig({ PGHOST: 'db', PGPASSWORD_FILE: file }).database).toMatchObject({
      connection: { password: 'from file' },
    });
    expect(loadConfig({ KAFKA_BROKERS: 'k:1', KAFKA_CONF_sasl_password_FILE: file }).topic).toMatchObject({
      properties: { 'sasl.password': 'from file' },
    });
    expect(faults({ PGPASSWORD_FILE: '/nowhere/at/all' })).toContain('PGPASSWORD_FILE: cannot read the file');
  });

  it('hands librdkafka properties through', () => {
    const { topic } = loadConfig({ KAFKA_BROKERS: 'k:1', KAFKA_CONF_security_protocol: 'SASL_SSL' });
    expect(topic).toMatchObject({ properties: { 'security.protocol': 'SASL_SSL' } });
  });
});
