/** Downloads one file: resumed where it was cut off, and taken only with the right checksum. */
import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { EnvHttpProxyAgent } from 'undici';
import { errorMessage, UsageError, VisionscaleError } from '../../base/errors.ts';
import { explainedDiskError } from '../../base/files/disk.ts';
import { retry } from '../../base/flow/retry.ts';
import { checksumMismatch, shownUrl } from './download-errors.ts';
import { fetchRest } from './fetch-rest.ts';
import { openPartFile } from './part-file.ts';

/** Addresses of proxies (they may hold a password), and the hosts that need none. */
export interface ProxySettings {
  http?: string;
  https?: string;
  none?: string;
}

export interface DownloadOptions {
  url: string;
  /** Where what has come so far waits for the rest; also for that of a later process. */
  directory: string;
  maxBytes: number;
  proxy: ProxySettings;
  signal: AbortSignal;
  /** 64 hex digits; undefined: whatever comes. */
  sha256: string | undefined;
  report?: ((event: DownloadEvent) => void) | undefined;
  /** Without an answer or a byte for this long an attempt has failed, ms. */
  timeoutMs?: number;
}

export type DownloadEvent =
  /** `from`: bytes that were there already. `total`: undefined where the server does not say. */
  | { kind: 'started'; from: number; total: number | undefined }
  | { kind: 'received'; bytes: number }
  | { kind: 'retrying'; reason: string; delayMs: number };

/** With the waits between them about 10 seconds. */
const attempts = 8;

/**
 * The file's bytes. Throws a VisionscaleError: `download_failed`, `download_too_large`, `checksum_mismatch` (what came is
 * thrown away), `disk_full`. After an interruption the next call goes on from there.
 */
export async function download(options: DownloadOptions): Promise<Uint8Array> {
  const { directory, signal, sha256, report } = options;
  try {
    await mkdir(directory, { recursive: true });
    const part = await openPartFile(directory, options.url);
    try {
      await using agent = openAgent(options.proxy, options.timeoutMs ?? 30_000);
      await retry(() => fetchRest(options, part, agent), {
        signal,
        attempts,
        onWait: (error, delayMs) => report?.({ kind: 'retrying', reason: errorMessage(error), delayMs }),
      });
      const bytes = await readFile(part.path);
      verify(bytes, sha256, options.url);
      await part.discard();
      return bytes;
    } catch (error) {
      // What is wrong is not gone on with, and a full disk is given back what was taken.
      const explained = explainedDiskError(error, directory);
      if (explained instanceof VisionscaleError && !explained.retryable) await part.discard();
      throw explained;
    }
  } catch (error) {
    throw explainedDiskError(error, directory);
  }
}

function openAgent(proxy: ProxySettings, timeoutMs: number): EnvHttpProxyAgent & AsyncDisposable {
  const address = (text: string) => {
    const url = text.includes('://') ? text : `http://${text}`; // a bare host:port is what many tools take
    if (URL.canParse(url) && /^https?:/.test(url)) return url;
    throw new UsageError('the proxy must be an http:// or https:// URL', 'See HTTP_PROXY and HTTPS_PROXY.');
  };
  const agent = new EnvHttpProxyAgent({
    ...(proxy.http !== undefined && { httpProxy: address(proxy.http) }),
    ...(proxy.https !== undefined && { httpsProxy: address(proxy.https) }),
    noProxy: proxy.none ?? '',
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    connectTimeout: timeoutMs,
  });
  return Object.assign(agent, { [Symbol.asyncDispose]: () => agent.destroy() });
}

function verify(bytes: Uint8Array, sha256: string | undefined, url: string): void {
  const found = createHash('sha256').update(bytes).digest('hex');
  if (sha256 === undefined || found === sha256.toLowerCase()) return;
  throw checksumMismatch(`what came from ${shownUrl(url)}`, found, sha256);
}
