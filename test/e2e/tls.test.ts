/** Kafka, PostgreSQL, S3 and `serve` over TLS by the built binary: what goes through, and what must be refused, with what words. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { join } from 'node:path';
import { connect, createServer, TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Rig } from '../support/binary.ts';
import { colorImage, colors, writeColorModel } from '../support/color-model.ts';
import { describeWith, type SecuredServers, securedServers } from '../support/servers.ts';
import { describeThorough } from '../support/thorough.ts';

type Settings = Record<string, string>;

const id = randomBytes(4).toString('hex');

describeThorough('over TLS', () => {
  describeWith('secured servers', 'with certificates that are checked', (command) => suite(command));
});

function suite(command: string): void {
  let servers: SecuredServers;
  let rig: Rig;
  let secrets: string[];
  const file = (name: string) => join(servers.certificates, name);
  const withParameters = (url: string, parameters: Settings) => {
    const all = new URL(url);
    for (const [name, value] of Object.entries(parameters)) all.searchParams.set(name, value);
    return all.href;
  };
  const database = (parameters: Settings = {}, url = servers.postgres) => {
    const own = new URL(url);
    own.pathname = `/tls_${id}`;
    return withParameters(own.href, { sslmode: 'verify-full', sslrootcert: file('ca.pem'), ...parameters });
  };
  const asClient = (name: string) => ({ sslcert: file(`${name}.pem`), sslkey: file(`${name}.key`) });
  const byPassword = (user: keyof SecuredServers['kafka']['users']): Settings => ({
    KAFKA_BROKERS: servers.kafka.scram,
    KAFKA_CONF_security_protocol: 'sasl_ssl',
    KAFKA_CONF_sasl_mechanism: 'SCRAM-SHA-512',
    KAFKA_CONF_sasl_username: user,
    KAFKA_CONF_sasl_password: servers.kafka.users[user],
    KAFKA_CONF_ssl_ca_location: file('ca.pem'),
  });
  const byCertificate = (name: string): Settings => ({
    KAFKA_BROKERS: servers.kafka.mtls,
    KAFKA_CONF_security_protocol: 'ssl',
    KAFKA_CONF_ssl_ca_location: file('ca.pem'),
    ...(name !== '' && {
      KAFKA_CONF_ssl_certificate_location: file(`${name}.pem`),
      KAFKA_CONF_ssl_key_location: file(`${name}.key`),
    }),
  });
  const byToken = (): Settings => ({
    KAFKA_BROKERS: servers.kafka.oauth,
    KAFKA_CONF_security_protocol: 'sasl_ssl',
    KAFKA_CONF_sasl_mechanism: 'OAUTHBEARER',
    KAFKA_CONF_enable_sasl_oauthbearer_unsecure_jwt: 'true',
    KAFKA_CONF_sasl_oauthbearer_config: 'principal=admin',
    KAFKA_CONF_ssl_ca_location: file('ca.pem'),
  });

  beforeAll(async () => {
    servers = await securedServers(command);
    const { kafka, postgres, s3 } = servers;
    secrets = [
      ...Object.values(kafka.users),
      new URL(postgres).password,
      s3.secretAccessKey,
      'not-the-password',
    ];
    rig = await Rig.open({
      KAFKA_TOPIC: `tls.${id}`,
      DATABASE_URL: database(),
      VISIONSCALE_STORE: `s3://tls-${id}`,
      S3_ENDPOINT: s3.endpoint,
      AWS_ACCESS_KEY_ID: s3.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
      AWS_CA_BUNDLE: file('ca.pem'),
    });
    rig.env['VISIONSCALE_MODEL'] = writeColorModel(join(rig.dir, 'model'));
    mkdirSync(join(rig.dir, 'images'));
    for (const [n, color] of colors.entries())
      writeFileSync(join(rig.dir, 'images', `${color}.png`), await colorImage(color, n));
  });

  afterAll(async () => {
    await rig?.[Symbol.asyncDispose]();
  });

  /** Servers with a certificate that must not be taken; nobody gets so far as to be answered. */
  const impostors: Partial<Record<string, { tls: number; postgres: number }>> = {};
  const listening: Server[] = [];
  const bad = ['server-wrong-name', 'server-expired'] as const;
  const at = (name: (typeof bad)[number], kind: 'tls' | 'postgres') => `localhost:${impostors[name]![kind]}`;

  beforeAll(async () => {
    const listen = async (server: Server) => {
      listening.push(server);
      await once(server.listen(0, '127.0.0.1'), 'listening');
      return (server.address() as AddressInfo).port;
    };
    for (const name of bad) {
      const pair = { cert: readFileSync(file(`${name}.pem`)), key: readFileSync(file(`${name}.key`)) };
      const tls = createServer(pair, (socket) => void socket.on('error', () => undefined));
      const postgres = createTcpServer((socket) => {
        socket
          .on('error', () => undefined)
          .once('data', () => {
            socket.write('S'); // to the request for TLS
            new TLSSocket(socket, { isServer: true, ...pair }).on('error', () => undefined);
          });
      });
      impostors[name] = { tls: await listen(tls), postgres: await listen(postgres) };
    }
  });

  afterAll(() => {
    for (const server of listening) server.close();
  });

  describe('goes through', () => {
    let rounds = 0;
    it.each<[string, () => Settings]>([
      ['with a login by SCRAM', () => byPassword('admin')],
      ['with a client certificate', () => byCertificate('client-admin')],
      ['with a token by OAUTHBEARER', byToken],
    ])('%s', async (_name, kafka) => {
      await rig.json(['init'], kafka());
      await rig.json(['upload', 'images'], kafka());
      expect(await rig.json(['produce', '--again'], kafka())).toMatchObject({ produced: colors.length });
      const consumed = await rig.json(['consume', '--group', '--until-drained'], kafka());
      expect(consumed).toMatchObject({ predicted: colors.length, deadLettered: 0 });
      rounds++;
      const results = await rig.json<{ imageKey: string; category: string }[]>(['results'], kafka());
      expect(results.map(({ imageKey }) => imageKey).sort()).toEqual(
        Array(rounds)
          .fill(colors.map((color) => `${color}.png`))
          .flat()
          .sort(),
      );
      for (const { imageKey, category } of results) expect(imageKey).toBe(`${category}.png`);
      expect(await rig.json(['audit'], kafka())).toMatchObject({ ok: true, missing: 0, doubled: 0 });
    });

    it('PostgreSQL with a client certificate instead of a password', async () => {
      const url = new URL(database());
      Object.assign(url, { username: 'visionscale_cert', password: '', pathname: `/tls_cert_${id}` });
      const { sslcert, sslkey } = asClient('client-visionscale_cert');
      const settings = { DATABASE_URL: url.href, PGSSLCERT: sslcert, PGSSLKEY: sslkey };
      const made = await rig.json(['init'], { ...byPassword('admin'), ...settings });
      expect(made).toMatchObject({ database: { created: true } });
    });
  });

  describe('refuses', () => {
    interface Case {
      name: string;
      /** What is set otherwise; an empty value unsets. */
      settings: () => Settings;
      says: RegExp;
      hint: RegExp;
      /** 1 by default. */
      code?: 1 | 2;
    }
    const untrusted = /: its certificate is not signed by an authority that is trusted here$/;
    const notLocalhost = /: its certificate is for elsewhere\.example, not for localhost$/;
    const expired = /: its certificate has expired$/;
    const noLogin = {
      KAFKA_CONF_sasl_mechanism: '',
      KAFKA_CONF_sasl_username: '',
      KAFKA_CONF_sasl_password: '',
    };
    const role = (parameters: Settings) => {
      const url = new URL(database(parameters));
      Object.assign(url, { username: 'visionscale_cert', password: '' });
      return { DATABASE_URL: url.href };
    };
    const impostor = (name: (typeof bad)[number]) => {
      const url = new URL(database());
      url.host = at(name, 'postgres');
      return { DATABASE_URL: url.href };
    };

    const kafka: Case[] = [
      {
        name: 'another authority',
        settings: () => ({ KAFKA_CONF_ssl_ca_location: file('wrong-ca.pem') }),
        says: untrusted,
        hint: /KAFKA_CONF_ssl_ca_location/,
      },
      {
        name: 'another name',
        settings: () => ({ KAFKA_BROKERS: at('server-wrong-name', 'tls') }),
        says: notLocalhost,
        hint: /KAFKA_BROKERS/,
      },
      {
        name: 'an expired certificate',
        settings: () => ({ KAFKA_BROKERS: at('server-expired', 'tls') }),
        says: expired,
        hint: /Renew/,
      },
      {
        name: 'no client certificate',
        settings: () => ({ ...noLogin, ...byCertificate('') }),
        says: /: it requires a client certificate$/,
        hint: /KAFKA_CONF_ssl_certificate_location/,
      },
      {
        name: 'a client certificate of another authority',
        settings: () => ({ ...noLogin, ...byCertificate('client-wrong-ca') }),
        says: /: it does not accept this client’s certificate$/,
        hint: /KAFKA_CONF_ssl_certificate_location/,
      },
      {
        name: 'a client certificate that has expired',
        settings: () => ({ ...noLogin, ...byCertificate('client-expired') }),
        says: /: it does not accept this client’s certificate, which expired on \d{4}-\d\d-\d\d$/,
        hint: /client-expired\.pem/,
      },
      {
        name: 'a key that belongs to another certificate',
        settings: () => ({
          ...noLogin,
          ...byCertificate('client-admin'),
          KAFKA_CONF_ssl_key_location: file('client-nobody.key'),
        }),
        says: /KAFKA_CONF_ssl_key_location: the key does not belong to the certificate$/,
        hint: /^$/,
        code: 2,
      },
      {
        name: 'a file that is not there',
        settings: () => ({ KAFKA_CONF_ssl_ca_location: '/nowhere/ca.pem' }),
        says: /KAFKA_CONF_ssl_ca_location names \/nowhere\/ca\.pem, which is not there$/,
        hint: /^$/,
        code: 2,
      },
      {
        name: 'a wrong password',
        settings: () => ({ KAFKA_CONF_sasl_password: 'not-the-password' }),
        says: /: it refuses the login of admin: .*invalid credentials/,
        hint: /KAFKA_CONF_sasl_password/,
      },
      {
        name: 'another mechanism',
        settings: () => ({ KAFKA_BROKERS: servers.kafka.oauth }),
        says: /: it does not accept logins by SCRAM-SHA-512, only by OAUTHBEARER$/,
        hint: /KAFKA_CONF_sasl_mechanism/,
      },
      {
        name: 'plain text to a port with TLS',
        settings: () => ({ ...noLogin, KAFKA_CONF_security_protocol: '' }),
        says: /: it speaks TLS on this port$/,
        hint: /KAFKA_CONF_security_protocol to ssl/,
      },
      {
        name: 'a login in plain text to a port with TLS',
        settings: () => ({ KAFKA_CONF_security_protocol: 'sasl_plaintext' }),
        says: /: it speaks TLS on this port$/,
        hint: /KAFKA_CONF_security_protocol to ssl/,
      },
      {
        name: 'no login',
        settings: () => ({ ...noLogin, KAFKA_CONF_security_protocol: 'ssl' }),
        says: /: it hangs up after the TLS handshake: it may require a login$/,
        hint: /sasl_ssl/,
      },
      {
        name: 'TLS to a port in plain text',
        settings: () => ({ KAFKA_BROKERS: servers.kafka.acls.at(-1)! }),
        says: /: it hangs up during the TLS handshake: it may not speak TLS on this port$/,
        hint: /KAFKA_CONF_security_protocol to plaintext/,
      },
    ];
    const postgres: Case[] = [
      {
        name: 'another authority',
        settings: () => ({ DATABASE_URL: database({ sslrootcert: file('wrong-ca.pem') }) }),
        says: untrusted,
        hint: /sslrootcert/,
      },
      {
        name: 'another name',
        settings: () => impostor('server-wrong-name'),
        says: notLocalhost,
        hint: /DATABASE_URL/,
      },
      {
        name: 'an expired certificate',
        settings: () => impostor('server-expired'),
        says: expired,
        hint: /Renew/,
      },
      {
        name: 'no client certificate',
        settings: () => role({}),
        says: /: connection requires a valid client certificate$/,
        hint: /sslcert/,
      },
      {
        name: 'a client certificate of another authority',
        settings: () => role(asClient('client-wrong-ca')),
        says: /: it does not trust the authority that signed this client’s certificate$/,
        hint: /sslcert/,
      },
      {
        name: 'a client certificate that has expired',
        settings: () => role(asClient('client-expired')),
        says: /: it says that this client’s certificate has expired$/,
        hint: /sslcert/,
      },
      {
        name: 'somebody else’s client certificate',
        settings: () => role(asClient('client-admin')),
        says: /: certificate authentication failed for user "visionscale_cert"$/,
        hint: /CN/,
      },
      {
        name: 'a key that belongs to another certificate',
        settings: () => role({ ...asClient('client-admin'), sslkey: file('client-nobody.key') }),
        says: /: the key does not belong to the certificate$/,
        hint: /^$/,
        code: 2,
      },
      {
        name: 'a wrong password',
        settings: () => {
          const url = new URL(database());
          url.password = 'not-the-password';
          return { DATABASE_URL: url.href };
        },
        says: /: password authentication failed for user "visionscale_ci"$/,
        hint: /password/,
      },
      {
        name: 'plain text to a server that wants TLS',
        settings: () => ({ DATABASE_URL: database({ sslmode: 'disable' }) }),
        says: /, no encryption$/,
        hint: /sslmode=verify-full/,
      },
      {
        name: 'TLS to a server without',
        settings: () => ({ DATABASE_URL: database({}, process.env['VISIONSCALE_TEST_POSTGRES']) }),
        says: /: The server does not support SSL connections$/,
        hint: /sslmode=disable/,
      },
    ];
    const s3: Case[] = [
      {
        name: 'another authority',
        settings: () => ({ AWS_CA_BUNDLE: file('wrong-ca.pem') }),
        says: untrusted,
        hint: /AWS_CA_BUNDLE/,
      },
      {
        name: 'another name',
        settings: () => ({ S3_ENDPOINT: `https://${at('server-wrong-name', 'tls')}` }),
        says: notLocalhost,
        hint: /S3_ENDPOINT/,
      },
      {
        name: 'an expired certificate',
        settings: () => ({ S3_ENDPOINT: `https://${at('server-expired', 'tls')}` }),
        says: expired,
        hint: /Renew/,
      },
      {
        name: 'a file without certificates',
        settings: () => ({ AWS_CA_BUNDLE: file('client-admin.key') }),
        says: /AWS_CA_BUNDLE names .*, which contains no certificate in PEM form/,
        hint: /^$/,
        code: 2,
      },
      {
        name: 'a wrong secret',
        settings: () => ({ AWS_SECRET_ACCESS_KEY: 'not-the-password' }),
        says: /: access denied to /,
        hint: /AWS_SECRET_ACCESS_KEY/,
      },
      {
        name: 'plain text to a port with TLS',
        settings: () => ({ S3_ENDPOINT: servers.s3.endpoint.replace('https:', 'http:') }),
        says: /: cannot reach s3:\/\/.* at http:/,
        hint: /must begin with https:/,
      },
      {
        name: 'TLS to a port in plain text',
        settings: () => ({ S3_ENDPOINT: process.env['VISIONSCALE_TEST_S3']!.replace('http:', 'https:') }),
        says: /: it does not speak TLS on this port$/,
        hint: /must begin with http:/,
      },
    ];

    const isSecretFree = (text: string) => {
      for (const secret of secrets) expect(text).not.toContain(secret);
    };

    describe.each([
      ['Kafka', kafka],
      ['PostgreSQL', postgres],
      ['S3', s3],
    ])('by %s', (_server, cases) => {
      it.concurrent.each(cases.map((one) => [one.name, one] as const))(
        '%s',
        async (_name, { settings, says, hint, code = 1 }) => {
          const ended = await rig.run(['init'], { ...byPassword('admin'), ...settings() });
          const [sentence = '', ...hints] = ended.stderr.trimEnd().split('\n');
          expect(sentence).toMatch(/^visionscale: /);
          expect(sentence).toMatch(says);
          expect(hints.join('\n')).toMatch(hint);
          expect(hints.length).toBeLessThanOrEqual(1);
          expect([ended.code, ended.stdout]).toEqual([code, '']);
          isSecretFree(ended.stderr);
        },
      );

      it('another authority, which doctor tells in the same words', async () => {
        const ended = await rig.run(['doctor'], { ...byPassword('admin'), ...cases[0]!.settings() });
        expect(ended.code).toBe(1);
        const failed = ended.stdout.split('\n').filter((line) => line.startsWith('FAILED'));
        expect(
          failed.some((line) => cases[0]!.says.test(line)),
          ended.stdout,
        ).toBe(true);
        isSecretFree(ended.stdout + ended.stderr);
      });
    });
  });

  describe('serve', () => {
    const post = (port: string, body: Buffer) =>
      new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
        const ca = readFileSync(file('ca.pem'));
        const path = '/v1/images?wait=30s';
        const request = https.request({ host: 'localhost', port, path, method: 'POST', ca }, (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (part: string) => (text += part));
          response.on('end', () => resolve({ status: response.statusCode, text }));
        });
        request.on('error', reject).end(body);
      });
    const nameShownBy = async (port: string) => {
      const socket = connect({ host: '127.0.0.1', port: Number(port), rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      const { subject } = socket.getPeerCertificate();
      socket.destroy();
      return subject.CN;
    };

    it('speaks HTTPS, is held against its certificate by classify, and takes a new one while it runs', async () => {
      const [cert, key] = [join(rig.dir, 'tls.pem'), join(rig.dir, 'tls.key')];
      const renew = (name: string) => {
        copyFileSync(file(`${name}.pem`), cert);
        copyFileSync(file(`${name}.key`), key);
      };
      renew('server');
      const kafka = byPassword('admin');
      await rig.json(['init'], kafka);
      const consumer = rig.start(['consume', '--group'], kafka);
      const server = rig.start(['serve', '--port', '0', '--tls-cert', cert, '--tls-key', key], kafka);
      let said = '';
      server.process.stderr!.on('data', (text: string) => (said += text));
      await Promise.all([consumer.said(/consuming/), server.said(/listening on https:/)]);
      const port = /listening on https:\/\/127\.0\.0\.1:(\d+)/.exec(said)![1]!;
      const answer = await post(port, readFileSync(join(rig.dir, 'images', 'red.png')));
      expect([answer.status, answer.text]).toEqual([200, expect.stringContaining('"category":"red"')]);

      const classify = (url: string, trusted: string) =>
        rig.run(['classify', 'images', '--server', url, '--json', '--give-up-after', '1ms'], {
          ...kafka,
          NODE_EXTRA_CA_CERTS: file(trusted),
        });
      const good = await classify(`https://localhost:${port}`, 'ca.pem');
      expect([good.code, good.stdout.trim().split('\n')], good.stderr).toEqual([
        0,
        expect.objectContaining({ length: colors.length }),
      ]);
      for (const [url, trusted, says] of [
        [
          `https://localhost:${port}`,
          'wrong-ca.pem',
          /its certificate is not signed by.*NODE_EXTRA_CA_CERTS/,
        ],
        [
          `https://${at('server-wrong-name', 'tls')}`,
          'ca.pem',
          /its certificate is for elsewhere\.example, not for localhost"/,
        ],
        [`https://${at('server-expired', 'tls')}`, 'ca.pem', /its certificate has expired".*Renew/],
        [`http://localhost:${port}`, 'ca.pem', /does not answer: .*must begin with https:/],
      ] as const) {
        const refused = await classify(url, trusted);
        expect([refused.code, refused.stderr], url).toEqual([1, expect.stringMatching(says)]);
      }

      expect(await nameShownBy(port)).toBe('localhost');
      renew('server-expired');
      await server.said(
        /the new certificate cannot be used, the old one stays: the certificate .* expired on /,
      );
      expect(await nameShownBy(port)).toBe('localhost');
      renew('server-wrong-name');
      await server.said(/new certificate, valid until /);
      expect(await nameShownBy(port)).toBe('elsewhere.example');

      for (const running of [server, consumer]) running.process.kill('SIGTERM');
      for (const running of [server, consumer]) expect((await running.ended).code).toBe(0);
    });

    it.each<[string, () => string[], RegExp]>([
      [
        'a certificate without its key',
        () => ['--tls-cert', 'a.pem'],
        /TLS_CERT \(--tls-cert\) needs VISIONSCALE_TLS_KEY/,
      ],
      [
        'a key of another certificate',
        () => ['--tls-cert', file('server.pem'), '--tls-key', file('server-expired.key')],
        /the key does not belong to the certificate/,
      ],
      [
        'a certificate that has expired',
        () => ['--tls-cert', file('server-expired.pem'), '--tls-key', file('server-expired.key')],
        /the certificate in .*server-expired\.pem expired on \d{4}-/,
      ],
      [
        'a file that is not there',
        () => ['--tls-cert', '/nowhere/tls.pem', '--tls-key', file('server.key')],
        /\/nowhere\/tls\.pem, which is not there/,
      ],
    ])('refuses %s', async (_name, flags, says) => {
      const ended = await rig.run(['serve', '--port', '0', ...flags()], byPassword('admin'));
      expect([ended.code, ended.stderr]).toEqual([2, expect.stringMatching(says)]);
    });
  });
}
