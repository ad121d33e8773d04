/** Downloads one file: resumed where it was cut off. */
import { createHash } from 'node:crypto';
import { open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Dispatcher, EnvHttpProxyAgent, fetch, type Response } from 'undici';
import { errorMessage, UsageError, VisionscaleError } from '../../base/errors.ts';
import { explainedDiskError } from '../../base/files/disk.ts';
import { makeDirectory } from '../../base/files/make-directory.ts';
import { retry } from '../../base/flow/retry.ts';
import { isRunning } from '../store/processes.ts';
import { downloadFailed, downloadTooLarge } from './download-errors.ts';
import { readAhead } from './read-ahead.ts';

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
  /** For this host alone: wherever it sends one on to, the token does not go. */
  token?: string | undefined;
  /** What the host's own refusal means, where it is more than its status; undefined: no more. */
  explain?: ((status: number, reason: string | undefined) => VisionscaleError | undefined) | undefined;
  /** What else to do with the file, downloaded elsewhere; reads on after "Or download the file elsewhere and". */
  instead?: string | undefined;
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
 * The file's bytes, which are the caller's to check. Throws a VisionscaleError: `download_failed`, `download_too_large`,
 * `disk_full`, and what `explain` makes of a refusal. After an interruption the next call goes on from there.
 */
export async function download(options: DownloadOptions): Promise<Uint8Array> {
  const { directory, signal, report } = options;
  try {
    await makeDirectory(directory);
    const part = await openPartFile(directory, options.url);
    try {
      await using agent = openAgent(options.proxy, options.timeoutMs ?? 30_000);
      await retry(() => fetchRest(options, part, agent), {
        signal,
        attempts,
        onWait: (error, delayMs) => report?.({ kind: 'retrying', reason: errorMessage(error), delayMs }),
      });
      const bytes = await readFile(part.path);
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

/** Resolves when the file is whole. Throws `download_failed` (retryable where it may pass), `download_too_large`. */
async function fetchRest(
  options: DownloadOptions,
  part: PartFile,
  dispatcher: Dispatcher,
): Promise<void> {
  const { url, signal, report, instead } = options;
  const have = await part.size();
  const validator = await part.validator();
  const response = await request(options, dispatcher, {
    // The bytes as they are: a range of a compressed stream could not be gone on with.
    'accept-encoding': 'identity',
    ...(have > 0 && { range: `bytes=${have}-`, 'if-range': validator! }),
  });
  const resumed = response.status === 206;
  if (!resumed && response.status !== 200) {
    await response.body?.cancel();
    if (response.status === 416) await part.discard();
    throw refused(options, response, have > 0);
  }
  if (resumed && !response.headers.get('content-range')?.startsWith(`bytes ${have}-`)) {
    await response.body?.cancel();
    await part.discard();
    throw downloadFailed(url, 'the server sent another range than requested', { retryable: true, instead });
  }
  const tooLarge = () => downloadTooLarge(url, options.maxBytes);
  const from = resumed ? have : 0;
  const length = Number(response.headers.get('content-length') ?? NaN);
  const total = Number.isSafeInteger(length) ? from + length : undefined;
  if (total !== undefined && total > options.maxBytes) {
    await response.body?.cancel();
    throw tooLarge();
  }
  const chunks = readAhead(response.body, options.maxBytes - from, tooLarge);
  if (!resumed) await part.restart(validatorOf(response));
  report?.({ kind: 'started', from, total });
  let received = from;
  await part.append(counted());
  if (total !== undefined && received !== total)
    throw downloadFailed(url, 'the connection was cut', { retryable: true, instead });

  async function* counted(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of chunks) {
        received += chunk.length;
        yield chunk;
        report?.({ kind: 'received', bytes: chunk.length });
      }
    } catch (error) {
      if (error instanceof VisionscaleError) throw error;
      signal.throwIfAborted();
      throw networkError(options, error);
    }
  }
}

async function request(
  options: DownloadOptions,
  dispatcher: Dispatcher,
  headers: Record<string, string>,
): Promise<Response> {
  const { url, token, signal } = options;
  // fetch refuses addresses with a user in them. What authorizes is sent on to no other host than this.
  const address = new URL(url);
  const { username, password } = address;
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const basic = user === ':' ? undefined : `Basic ${Buffer.from(user).toString('base64')}`;
  const authorization = token === undefined ? basic : `Bearer ${token}`;
  address.username = address.password = '';
  try {
    return await fetch(address, {
      headers: { ...headers, ...(authorization !== undefined && { authorization }) },
      dispatcher,
      signal,
    });
  } catch (error) {
    signal.throwIfAborted();
    throw networkError(options, error);
  }
}

/** What If-Range may hold: a strong ETag, or the date. */
function validatorOf({ headers }: Response): string | undefined {
  const tag = headers.get('etag');
  return tag !== null && !tag.startsWith('W/') ? tag : (headers.get('last-modified') ?? undefined);
}

function refused(
  { url, explain, instead }: DownloadOptions,
  { status, headers, url: last }: Response,
  ranged: boolean,
): VisionscaleError {
  const isOwn = URL.canParse(last) && new URL(last).origin === new URL(url).origin;
  // The hub's word for why.
  const explained = isOwn ? explain?.(status, headers.get('x-error-code') ?? undefined) : undefined;
  if (explained !== undefined) return explained;
  const passes = [408, 425, 429].includes(status) || status >= 500 || (status === 416 && ranged);
  return downloadFailed(url, `the server answers ${status}`, { retryable: passes, instead });
}

/** fetch wraps what went wrong, sometimes twice. */
function networkError({ url, instead }: DownloadOptions, error: unknown): VisionscaleError {
  let root = error;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  const { code = '' } = root as NodeJS.ErrnoException;
  // A certificate will not become another one.
  const retryable = !/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS|ERR_INVALID/.test(code);
  return downloadFailed(url, errorMessage(root) || code, { retryable, instead, cause: error });
}

// What has been downloaded of a file so far, kept on disk so that a later process can go on; one process at a time owns it.

interface PartFile {
  readonly path: string;
  /** Bytes that are there; 0 where nothing can be gone on with. */
  size(): Promise<number>;
  /** What tells whether the server's file is still the same: an ETag or a date. Undefined where nothing is there. */
  validator(): Promise<string | undefined>;
  /** Begins anew, with the validator of what will come; without one it cannot be gone on with later. */
  restart(validator: string | undefined): Promise<void>;
  /** Adds the chunks at the end. */
  append(chunks: AsyncIterable<Uint8Array>): Promise<void>;
  discard(): Promise<void>;
}

/** Takes over what a process that has ended left of the same address. */
async function openPartFile(directory: string, url: string): Promise<PartFile> {
  const key = createHash('sha256').update(url).digest('hex').slice(0, 16);
  const path = join(directory, `${key}-${process.pid}.part`);
  const pattern = new RegExp(`^${key}-(\\d+)\\.part$`);
  for (const name of await readdir(directory)) {
    const pid = Number(pattern.exec(name)?.[1] ?? NaN);
    if (Number.isNaN(pid) || pid === process.pid || isRunning(pid)) continue;
    const left = join(directory, name);
    // Only one process succeeds. Without its note (lost between the two) the part is begun anew.
    if (
      await rename(left, path).then(
        () => true,
        () => false,
      )
    )
      await rename(note(left), note(path)).catch(() => undefined);
  }
  const validator = () => readFile(note(path), 'utf8').catch(() => undefined);
  const discard = async () => {
    await Promise.all([rm(path, { force: true }), rm(note(path), { force: true })]);
  };
  return {
    path,
    validator,
    discard,
    async size() {
      if ((await validator()) === undefined) return 0;
      return (await stat(path).catch(() => undefined))?.size ?? 0;
    },
    async restart(next) {
      await discard();
      if (next !== undefined) await writeFile(note(path), next);
    },
    async append(chunks) {
      await using file = await open(path, 'a');
      for await (const chunk of chunks) await file.writeFile(chunk);
    },
  };
}

function note(path: string): string {
  return `${path}.validator`;
}
