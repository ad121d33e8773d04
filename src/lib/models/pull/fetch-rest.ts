/** One attempt at a download: asks for what is still missing and appends it. */
import { fetch, type Dispatcher, type Response } from 'undici';
import { errorMessage, VisionscaleError } from '../../base/errors.ts';
import { downloadFailed, downloadTooLarge } from './download-errors.ts';
import type { DownloadOptions } from './download.ts';
import type { PartFile } from './part-file.ts';

/** Resolves when the file is whole. Throws `download_failed` (retryable where it may pass), `download_too_large`. */
export async function fetchRest(
  options: DownloadOptions,
  part: PartFile,
  dispatcher: Dispatcher,
): Promise<void> {
  const { url, signal, report } = options;
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
    throw refused(url, response.status, have > 0);
  }
  if (resumed && !response.headers.get('content-range')?.startsWith(`bytes ${have}-`)) {
    await response.body?.cancel();
    await part.discard();
    throw downloadFailed(url, 'the server sends another part than was asked for', { retryable: true });
  }
  const from = resumed ? have : 0;
  const length = Number(response.headers.get('content-length') ?? NaN);
  const total = Number.isSafeInteger(length) ? from + length : undefined;
  if (total !== undefined && total > options.maxBytes) {
    await response.body?.cancel();
    throw downloadTooLarge(options.url, options.maxBytes);
  }
  if (!resumed) await part.restart(validatorOf(response));
  report?.({ kind: 'started', from, total });
  let received = from;
  await part.append(counted());
  if (total !== undefined && received !== total)
    throw downloadFailed(url, 'the connection was cut', { retryable: true });

  async function* counted(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of (response.body as AsyncIterable<Uint8Array> | null) ?? []) {
        received += chunk.length;
        if (received > options.maxBytes) throw downloadTooLarge(options.url, options.maxBytes);
        yield chunk;
        report?.({ kind: 'received', bytes: chunk.length });
      }
    } catch (error) {
      if (error instanceof VisionscaleError) throw error;
      signal.throwIfAborted();
      throw networkError(url, error);
    }
  }
}

async function request(
  { url, signal }: DownloadOptions,
  dispatcher: Dispatcher,
  headers: Record<string, string>,
): Promise<Response> {
  // fetch refuses addresses with a user in them; sent on to no other host than this.
  const address = new URL(url);
  const { username, password } = address;
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const authorization = `Basic ${Buffer.from(user).toString('base64')}`;
  address.username = address.password = '';
  try {
    return await fetch(address, {
      headers: { ...headers, ...(user !== ':' && { authorization }) },
      dispatcher,
      signal,
    });
  } catch (error) {
    signal.throwIfAborted();
    throw networkError(url, error);
  }
}

/** What If-Range may hold: a strong ETag, or the date. */
function validatorOf({ headers }: Response): string | undefined {
  const tag = headers.get('etag');
  return tag !== null && !tag.startsWith('W/') ? tag : (headers.get('last-modified') ?? undefined);
}

function refused(url: string, status: number, ranged: boolean): VisionscaleError {
  const passes = [408, 425, 429].includes(status) || status >= 500 || (status === 416 && ranged);
  return downloadFailed(url, `the server answers ${status}`, { retryable: passes });
}

/** fetch wraps what went wrong, sometimes twice. */
function networkError(url: string, error: unknown): VisionscaleError {
  let root = error;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  const { code = '' } = root as NodeJS.ErrnoException;
  // A certificate will not become another one.
  const retryable = !/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS|ERR_INVALID/.test(code);
  return downloadFailed(url, errorMessage(root) || code, { retryable, cause: error });
}
