/** `.env`: understood to the last line or refused, and only settings are taken from it. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/lib/base/errors.ts';
import {
  mayBeInEnvFile,
  parseEnvFile,
  notTakenLine,
  putInForce,
  readEnvFile,
} from '../../../src/lib/config/env-file.ts';
import { loadConfig } from '../../../src/lib/config/load.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'visionscale env-file '));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function written(content: string | Buffer): Promise<string> {
  const path = join(dir, '.env');
  await rm(path, { recursive: true, force: true });
  await writeFile(path, content);
  return path;
}

function refusal(path: string): string {
  try {
    readEnvFile(path);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message;
  }
  throw new Error('was accepted');
}

describe('the lines of a .env', () => {
  it('are read as dotenv reads them', () => {
    const { values, faults } = parseEnvFile(
      [
        '# a comment',
        '',
        'PGHOST=db',
        ' export PGUSER = me  # who',
        `PGPASSWORD='a # b "c" \${d}'\r`,
        'PGDATABASE="my\\ndb"',
        'PGPORT: 5433',
        'AWS_REGION=',
        'AWS_SECRET_ACCESS_KEY= # none yet',
        'VISIONSCALE_TOKENS="a:1',
        'b:2"',
        `IMG_DIR='C:\\pictures\\'`,
        "CLASS_NAMES=it's,fine",
        'DATABASE_URL=postgres://h/db?a=b',
      ].join('\n'),
    );
    expect(faults).toEqual([]);
    expect(values).toEqual({
      PGHOST: 'db',
      PGUSER: 'me',
      PGPASSWORD: 'a # b "c" ${d}',
      PGDATABASE: 'my\ndb',
      PGPORT: '5433',
      AWS_REGION: '',
      AWS_SECRET_ACCESS_KEY: '',
      VISIONSCALE_TOKENS: 'a:1\nb:2',
      IMG_DIR: 'C:\\pictures\\',
      CLASS_NAMES: "it's,fine",
      DATABASE_URL: 'postgres://h/db?a=b',
    });
  });

  it.each([
    ['DATABASE_URL postgres://geheim@h/db', /^line 2: is not NAME=value$/],
    ['DATABASE_URL', /^line 2: is not NAME=value$/],
    ['=geheim', /^line 2/],
    ['set PGHOST=geheim', /^line 2/],
    ['if [ -f geheim ]; then', /^line 2/],
    ['DATABASE_URL="geheim', /^line 2: the value of DATABASE_URL .* quote/],
    [`DATABASE_URL='geheim" `, /^line 2: the value of DATABASE_URL .* quote/],
    ['DATABASE_URL="geheim" more', /^line 2: the value of DATABASE_URL .* quote/],
    ['PGPASSWORD=gehe#im', /^line 2: the # in the value of PGPASSWORD/],
    ['PGPASSWORD=#geheim', /^line 2: the # in the value of PGPASSWORD/],
    ['DATABASE_URL=postgres://${USER}:geheim@h/db', /^line 2: the value of DATABASE_URL .* \$/],
    ['PGPASSWORD="$(geheim)"', /^line 2: the value of PGPASSWORD .* \$/],
    ['PGHOST=“geheim”', /^line 2: .*typographic/],
    ['PGHOST="geheim\nPGUSER=me\nPGPASSWORD="', /^line 2: the quote of PGHOST .* PGUSER/],
    ['PGHOST=a\n\n\nPGHOST=geheim', /^line 5: PGHOST has another value in line 2$/],
    ['\u200bPGHOST=geheim', /^line 2/],
  ])('%j is refused by its number, and not shown', (content, fault) => {
    const { faults } = parseEnvFile(`PGPORT=5432\n${content}\n`);
    expect(faults[0]).toMatch(fault);
    expect(faults.join()).not.toContain('geheim');
  });

  it('are all seen: what is behind a wrong one is not lost', async () => {
    const message = refusal(await written('A B\nPGHOST=h\nPGUSER="x\nC D\n'));
    expect(message).toContain(join(dir, '.env'));
    expect(message.match(/line \d/g)).toEqual(['line 1', 'line 3', 'line 4']);
  });

  it('cost no more than their length', () => {
    for (const line of [
      'A="\n',
      'A=\n',
      `A='\\'x\n`,
      '#\n',
      'A B\n',
      `A=${' '.repeat(1000)}#\n`,
      'PGHOST=x\n',
    ]) {
      const began = performance.now();
      parseEnvFile(line.repeat(250_000 / line.length));
      expect(performance.now() - began, line).toBeLessThan(10_000);
    }
  });
});

describe('a .env as a file', () => {
  it('is absent, or taken with or without a byte order mark', async () => {
    expect(readEnvFile(join(dir, 'none', '.env'))).toBeNull();
    const path = await written('\ufeffPGHOST=db\n');
    expect(readEnvFile(path)).toEqual({ path, values: { PGHOST: 'db' }, passedOver: [] });
  });

  it('is refused where it is no text in UTF-8', async () => {
    const utf16 = Buffer.from('\ufeffPGHOST=db\r\n', 'utf16le');
    expect(refusal(await written(utf16))).toMatch(/UTF-16.*save it as UTF-8/);
    expect(refusal(await written(utf16.swap16()))).toMatch(/UTF-16/);
    expect(refusal(await written(Buffer.from('PGHOST=db\r\n', 'utf16le')))).toMatch(/zero byte/);
    expect(refusal(await written(Buffer.from('PGHOST=db\nPGUSER=j\xfcrgen\n', 'latin1')))).toMatch(/line 2/);
    expect(refusal(await written(Buffer.alloc(300_000, 'A=1\n')))).toMatch(/larger than/);
  });

  it('is refused where it is no file', async () => {
    const path = join(dir, '.env');
    await rm(path, { recursive: true, force: true });
    await mkdir(path);
    expect(refusal(path)).toMatch(/is a directory/);
    await rm(path, { recursive: true });
    await symlink(join(dir, 'gone'), path);
    expect(refusal(path)).toMatch(/is not there/);
    await rm(path);
    await symlink('/dev/zero', path);
    expect(refusal(path)).toMatch(/not a regular file/);
    await rm(path);
  });
});

describe('what a .env may set', () => {
  it.each([
    'DATABASE_URL',
    'PGOPTIONS',
    'PGAPPNAME',
    'PGCONNECT_TIMEOUT',
    'PGSSLROOTCERT',
    'AWS_REGION',
    'AWS_DEFAULT_REGION',
    'AWS_SECRET_ACCESS_KEY',
    'AWS_PROFILE',
    'AWS_ENDPOINT_URL_S3',
    'AWS_MAX_ATTEMPTS',
    'AWS_EC2_METADATA_DISABLED',
    'KAFKA_CONF_sasl_mechanism',
    'KAFKA_CONF_ssl_ca_location',
    'KAFKA_CONF_SECURITY_PROTOCOL',
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
    'OTEL_EXPORTER_OTLP_HEADERS',
    'OTEL_EXPORTER_OTLP_PROFILES_ENDPOINT',
    'OTEL_SERVICE_NAME',
    'OTEL_RESOURCE_ATTRIBUTES',
    'OTEL_TRACES_SAMPLER_ARG',
    'OTEL_SDK_DISABLED',
    'IMG_DIR',
    'TRAINING_DATA_DIR',
    'CLASS_NAMES',
    'https_proxy',
    'VISIONSCALE_STORE',
    // Refused by name, as it is in the environment.
    'VISIONSCALE_STROE',
  ])('%s', (name) => {
    expect(mayBeInEnvFile(name)).toBe(true);
  });

  it.each([
    'NODE_OPTIONS',
    'node_options',
    'NODE_PATH',
    'NODE_EXTRA_CA_CERTS',
    'NODE_TLS_REJECT_UNAUTHORIZED',
    'LD_PRELOAD',
    'LD_LIBRARY_PATH',
    'DYLD_INSERT_LIBRARIES',
    'PATH',
    'Path',
    'HOME',
    'XDG_DATA_HOME',
    'TMPDIR',
    'SHELL',
    'BASH_ENV',
    'OPENSSL_CONF',
    'SSL_CERT_FILE',
    'GCONV_PATH',
    'UV_THREADPOOL_SIZE',
    'VIPS_WARNING',
    'TF_XLA_FLAGS',
    'OMP_NUM_THREADS',
    'DOTENV_KEY',
    'DOTENV_CONFIG_PATH',
    'NOTIFY_SOCKET',
    'constructor',
    '__proto__',
    'VISIONSCALE_TEST_HOSTNAME',
    'AWS_CONFIG_FILE',
    'AWS_SHARED_CREDENTIALS_FILE',
    'AWS_CREDENTIAL_PROCESS',
    'AWS_WEB_IDENTITY_TOKEN_FILE',
    'AWS_CA_BUNDLE',
    'AWS_CONTAINER_CREDENTIALS_FULL_URI',
    'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE',
    'AWS_EC2_METADATA_SERVICE_ENDPOINT',
    'AWS_LOGIN_CACHE_DIRECTORY',
    'AWS_ENDPOINT_URL',
    'AWS_ENDPOINT_URL_STS',
    'AWS_ENDPOINT_URL_SIGNIN',
    'AWS_ENDPOINT_URL_S3_CONTROL',
    'AWS_SECRET_ACCESS_KEY_FILE',
    'DATABASE_URL_FILE',
    'PGPASSWORD_FILE',
    'VISIONSCALE_TOKEN_FILE',
    'VISIONSCALE_TOKENS_FILE',
    'VISIONSCALE_STROE_FILE',
    'KAFKA_CONF_sasl_password_FILE',
    'KAFKA_CONF_SASL_PASSWORD_FILE',
    'KAFKA_CONF_sasl_password_file',
    'OTEL_EXPORTER_OTLP_CERTIFICATE',
    'OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE',
    'OTEL_EXPORTER_OTLP_CLIENT_KEY',
    'OTEL_CONFIG_FILE',
    'OTEL_EXPERIMENTAL_CONFIG_FILE',
    'OTEL_EXPORTER_OTLP_ENDPIONT',
    'AWS_REGOIN',
    'PGHSOT',
    'PGSERVICEFILE',
    'PGSERVICE',
    'PGPASSFILE',
    'PGSYSCONFDIR',
    'PGSSLKEY',
    'PGLOCALEDIR',
    'PGDATA',
    'KAFKA_CONF_plugin_library_paths',
    'KAFKA_CONF_PLUGIN_LIBRARY_PATHS',
    'KAFKA_CONF_plugin.library.paths',
    'KAFKA_CONF_plugin_library_paths_FILE',
    'KAFKA_CONF_ssl_engine_location',
    'KAFKA_CONF_ssl_providers',
    'KAFKA_CONF_sasl_kerberos_kinit_cmd',
    'KAFKA_CONF_sasl_kerberos_principal',
    'KAFKA_CONF_sasl_oauthbearer_assertion_private_key_file',
  ])('not %s', (name) => {
    expect(mayBeInEnvFile(name)).toBe(false);
  });

  it('is told in one line, with the name that was meant', async () => {
    const file = readEnvFile(
      await written('NODE_OPTIONS=--require=./geheim.js\nDATABASE_ULR=geheim\nPATH=x\nPGHOST=h\n'),
    );
    expect(file?.values).toEqual({ PGHOST: 'h' });
    expect(notTakenLine(file!)).toBe(
      `ignored in ${file!.path}: NODE_OPTIONS, DATABASE_ULR (did you mean DATABASE_URL?), PATH; a .env sets only what visionscale reads`,
    );
    expect(notTakenLine({ ...file!, passedOver: [] })).toBeUndefined();
  });

  it.each(['PGPASSWORD', 'DATABASE_URL', 'VISIONSCALE_TOKEN', 'KAFKA_CONF_sasl_password'])(
    'is refused where %s is to come from a file, which may be any',
    async (secret) => {
      const path = await written(`PGHOST=evil.example\n${secret}_FILE=/home/geheim\n`);
      expect(() => readEnvFile(path)).toThrow(
        `line 2: ${secret}_FILE could send any file to a server: set it in the environment, or ${secret} here`,
      );
    },
  );

  it('stays behind what the environment sets, in a file or not', () => {
    const env: Record<string, string | undefined> = {
      PGHOST: 'mine',
      PGPASSWORD: 'mine',
      AWS_REGION: '',
      PGUSER_FILE: '',
      VISIONSCALE_TOKEN_FILE: '/mine',
    };
    const values = {
      PGHOST: 'x',
      PGPASSWORD: 'x',
      AWS_REGION: 'x',
      PGUSER: 'x',
      DATABASE_URL: 'x',
      VISIONSCALE_TOKEN: 'x',
    };
    expect(putInForce(values, env)).toEqual(['PGUSER', 'DATABASE_URL']);
    expect(env).toMatchObject({ PGHOST: 'mine', PGPASSWORD: 'mine', AWS_REGION: '', PGUSER: 'x' });
    expect(env).not.toHaveProperty('VISIONSCALE_TOKEN');
  });
});

describe('a file with a secret', () => {
  it.each([
    ['is missing', () => join(dir, 'missing'), /is not there/],
    ['is a directory', () => dir, /is a directory/],
    ['is empty', () => written('\n'), /is empty/],
    ['is too large', () => written(Buffer.alloc(1024 * 1024 + 1, 'x')), /larger than/],
    ['is UTF-16', () => written(Buffer.from('\ufeffgeheim', 'utf16le')), /UTF-16/],
    ['is binary', () => written(Buffer.from([0xff, 0, 0x80])), /UTF-8|zero byte/],
  ])('that %s is refused', async (_what, path, reason) => {
    const given = await path();
    for (const name of ['PGPASSWORD_FILE', 'VISIONSCALE_TOKENS_FILE', 'KAFKA_CONF_sasl_password_FILE']) {
      expect(() => loadConfig({ [name]: given })).toThrow(reason);
      expect(() => loadConfig({ [name]: given })).toThrow(name);
    }
  });
});
