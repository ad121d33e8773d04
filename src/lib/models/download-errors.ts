/** What is said when a download fails. */
import { VisionscaleError } from '../errors.ts';

export function downloadFailed(
  url: string,
  reason: string,
  details: { retryable: boolean; cause?: unknown },
): VisionscaleError {
  return new VisionscaleError(`${shownUrl(url)} cannot be downloaded: ${reason}`, {
    code: 'download_failed',
    hint:
      'Behind a proxy set HTTPS_PROXY (and NODE_EXTRA_CA_CERTS for its certificate). Or download the file elsewhere and\n' +
      `name it: visionscale model pull imagenet --from <file>.${details.retryable ? ' What has come is kept; the same command goes on.' : ''}`,
    ...details,
  });
}

export function downloadTooLarge(url: string, maxBytes: number): VisionscaleError {
  return new VisionscaleError(`${shownUrl(url)} is larger than ${(maxBytes / 2 ** 20).toFixed(0)} MiB`, {
    code: 'download_too_large',
    hint: 'That is not the file that was meant. Check the address given with --from.',
  });
}

/** For a file that is not the one that was meant. */
export function checksumMismatch(what: string, found: string, expected: string): VisionscaleError {
  return new VisionscaleError(`${what} has the sha256 ${found}, not ${expected}`, {
    code: 'checksum_mismatch',
    hint:
      'It is damaged, or not the file that was meant: nothing was installed. Try again; if it stays so, something on the\n' +
      'way (a proxy?) exchanges it. A file that you trust is named with --from <file> --sha256 <its checksum>.',
  });
}

/** Without what may be secret in it. */
export function shownUrl(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
