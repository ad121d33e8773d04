/** Who may do what: tokens, loopback with Host and Origin, and read-only elsewhere. */
import { hostname } from 'node:os';
import { describe, expect, it, vi } from 'vitest';
import { parseOrigins, parseServerUrl, parseTokens, tokenEntry } from '../../../src/lib/config/http.ts';
import { loadConfig } from '../../../src/lib/config/load.ts';
import {
  type AccessOptions,
  accessPolicy,
  type Asking,
  type Right,
  Failures,
  bearerOf,
  newToken,
} from '../../../src/lib/pipeline/serve/admission/access.ts';
import { network, proxyHeader, senderOf } from '../../../src/lib/pipeline/serve/admission/senders.ts';
import type { Problem } from '../../../src/lib/pipeline/serve/problem.ts';

const rights: Right[] = ['none', 'read', 'write'];

/** What each right comes to: a status, or the name of the token. */
function answers(options: Partial<AccessOptions>, asking: Partial<Asking>): unknown[] {
  const access = accessPolicy({ tokens: [], host: '127.0.0.1', corsOrigins: [], ...options });
  const nobody = { method: 'GET', authorization: undefined, host: 'localhost:8080', origin: undefined };
  return rights.map((right) => {
    try {
      return access(right, { ...nobody, ...asking });
    } catch (error) {
      return (error as Problem).status;
    }
  });
}

describe('without tokens', () => {
  it('allows everything on loopback, to those who mean loopback', () => {
    for (const host of ['localhost', 'localhost:8080', '127.0.0.1:1', '[::1]:8080', 'LOCALHOST:8080']) {
      expect(answers({}, { host })).toEqual([null, null, null]);
    }
    for (const host of [
      'evil.example',
      'evil.example:8080',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      '',
      undefined,
    ]) {
      expect(answers({}, { host })).toEqual([null, 403, 403]);
    }
  });

  it('answers probes, whatever they call it and whatever they came through', () => {
    for (const host of ['127.0.0.1', '0.0.0.0', 'belt.example']) {
      for (const asking of [
        { host: 'vs.default.svc.cluster.local:8080' },
        { host: undefined },
        { proxy: 'x-forwarded-for' },
        { origin: 'http://evil.example' },
      ]) {
        expect(answers({ host }, asking)[0]).toBeNull();
      }
    }
  });

  it('refuses pages of other origins, unless they are allowed', () => {
    const host = 'localhost:8080';
    expect(answers({}, { host, origin: 'http://localhost:8080' })).toEqual([null, null, null]);
    for (const origin of ['http://evil.example', 'http://localhost:3000', 'https://localhost:8080', 'null']) {
      expect(answers({}, { host, origin })).toEqual([null, 403, 403]);
    }
    const corsOrigins = ['http://localhost:3000'];
    expect(answers({ corsOrigins }, { host, origin: 'http://localhost:3000' })).toEqual([null, null, null]);
  });

  it('is read-only on any other address', () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.7', 'belt.example']) {
      expect(answers({ host }, { host: '192.0.2.7:8080' })).toEqual([null, null, 403]);
    }
  });

  it('answers there to names that nobody outside can make lead to it', () => {
    const asked = (host: string | undefined) => answers({ host: '0.0.0.0' }, { host });
    for (const host of [
      '[2001:db8::7]:8080',
      'localhost',
      'belt-1:8080',
      hostname(),
      `${hostname()}.local`,
      undefined,
    ]) {
      expect(asked(host), host).toEqual([null, null, 403]);
    }
    expect(answers({ host: 'belt.example' }, { host: 'Belt.Example:8080' })).toEqual([null, null, 403]);
    for (const host of [
      'evil.example',
      'evil.example:8080',
      '192.0.2.7.evil.example',
      'localhost.evil.example',
      'evil.',
      '',
    ]) {
      expect(asked(host), host).toEqual([null, 403, 403]);
    }
  });

  it('takes nothing that came through a proxy', () => {
    for (const host of ['127.0.0.1', '0.0.0.0']) {
      expect(answers({ host }, { proxy: 'via' })).toEqual([null, 403, 403]);
    }
    const token = newToken();
    const tokens = parseTokens(tokenEntry('a', token));
    expect(answers({ tokens }, { proxy: 'via', authorization: `Bearer ${token}` })).toEqual([null, 'a', 'a']);
    for (const name of [
      'forwarded',
      'via',
      'x-forwarded-for',
      'x-forwarded-host',
      'x-forwarded-proto',
      'x-real-ip',
    ]) {
      expect(proxyHeader({ host: 'h', [name]: '' })).toBe(name);
    }
    expect(proxyHeader({ host: 'h', 'x-forward': '1', 'x-viaduct': '1' })).toBeUndefined();
  });
});

describe('with tokens', () => {
  const token = newToken();
  const tokens = parseTokens(`${tokenEntry('other', newToken())},\n ${tokenEntry('belt-1', token)}`);

  it('asks for one that is known, wherever it listens', () => {
    for (const host of ['127.0.0.1', '0.0.0.0']) {
      const access = (authorization: string | undefined) => answers({ tokens, host }, { authorization });
      expect(access(`Bearer ${token}`)).toEqual([null, 'belt-1', 'belt-1']);
      expect(access(`bearer  ${token} `)).toEqual([null, 'belt-1', 'belt-1']);
      for (const wrong of [
        undefined,
        '',
        'Bearer',
        'Bearer x',
        `Basic ${token}`,
        `Bearer ${token}x`,
        `Bearer ${token} x`,
      ]) {
        expect(access(wrong)).toEqual([null, 401, 401]);
      }
    }
  });

  it('makes tokens that are long and never the same', () => {
    expect(newToken()).toMatch(/^vs_[\w-]{43}$/);
    expect(newToken()).not.toBe(newToken());
    expect(bearerOf(`Bearer ${newToken()}`, tokens)).toBeUndefined();
  });
});

describe('a sender', () => {
  it('is its token, else its host, however many addresses that has', () => {
    expect(senderOf('a', '192.0.2.1')).not.toBe(senderOf('b', '192.0.2.1'));
    expect(senderOf('a', '192.0.2.1')).toBe(senderOf('a', '192.0.2.2'));
    expect(senderOf('192.0.2.1', '')).not.toBe(senderOf(null, '192.0.2.1'));
    expect(network('::ffff:192.0.2.1')).toBe('192.0.2.1');
    const one = network('2001:db8:0:7::1');
    for (const same of ['2001:db8:0:7:ffff::2', '2001:0db8:0000:0007:1:2:3:4', '2001:DB8::7:0:0:0:9']) {
      expect(network(same), same).toBe(one);
    }
    for (const other of ['2001:db8:0:8::1', '2001:db8::1', '::1', 'fe80::1%eth0']) {
      expect(network(other), other).not.toBe(one);
    }
  });

  it('with wrong tokens is turned away for a while, address by address', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      const failures = new Failures();
      for (let n = 0; n < 20; n++) expect(failures.note('192.0.2.1')).toBeUndefined();
      expect(failures.note('192.0.2.1')).toMatchObject({
        status: 429,
        code: 'too_many_failures',
        retryAfter: 60,
      });
      expect(failures.note('192.0.2.2')).toBeUndefined();
      vi.advanceTimersByTime(60_000);
      expect(failures.note('192.0.2.1')).toBeUndefined();
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('the settings', () => {
  const hex = 'ab'.repeat(32);

  it('take tokens, and refuse others without repeating them', () => {
    const sha256 = Buffer.from(hex, 'hex');
    expect(parseTokens(`a:${hex}`)).toEqual([{ name: 'a', role: 'ingest', sha256 }]);
    expect(parseTokens(`a:${hex}:operate`)).toEqual([{ name: 'a', role: 'operate', sha256 }]);
    expect(
      loadConfig({ VISIONSCALE_TOKENS: `a:${hex},b:${hex}` }).http.tokens.map(({ name }) => name),
    ).toEqual(['a', 'b']);
    expect(loadConfig({}).http.tokens).toEqual([]);
    for (const wrong of ['secret', `a:${hex}0`, `:${hex}`, `a:${hex},a:${hex}`, `a:${hex}:boss`, ' , ']) {
      const attempt = () => loadConfig({ VISIONSCALE_TOKENS: wrong });
      expect(attempt).toThrow(/VISIONSCALE_TOKENS/);
      expect(attempt).not.toThrow(/secret|abab/);
    }
  });

  it('take origins and the address of a server', () => {
    expect(parseOrigins('https://a.example, http://localhost:3000')).toEqual([
      'https://a.example',
      'http://localhost:3000',
    ]);
    for (const wrong of ['*', 'a.example', 'https://a.example/page', 'ftp://a', '']) {
      expect(() => parseOrigins(wrong)).toThrow(/origins such as/);
    }
    expect(parseServerUrl('http://a.example:8080/x/')).toBe('http://a.example:8080/x');
    expect(() => parseServerUrl('http://u:geheim@a')).toThrow(/VISIONSCALE_TOKEN/);
    expect(() => parseServerUrl('http://u:geheim@a')).not.toThrow(/geheim/);
  });
});
