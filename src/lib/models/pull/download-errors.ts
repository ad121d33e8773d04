/** What is said when a download fails. */
import { errorMessage, VisionscaleError } from '../../base/errors.ts';

export function downloadFailed(
  url: string,
  reason: string,
  details: { retryable: boolean; instead?: string | undefined; cause?: unknown },
): VisionscaleError {
  const { retryable, instead = 'name it: visionscale model pull squeezenet1_1 --from <file>', cause } = details;
  return new VisionscaleError(`${shownUrl(url)} cannot be downloaded: ${withoutSecrets(reason, url)}`, {
    code: 'download_failed',
    hint:
      'Behind a proxy set HTTPS_PROXY (and NODE_EXTRA_CA_CERTS for its certificate). Or download the file elsewhere and\n' +
      `${instead}.${retryable ? ' Downloads resume: run the same command again.' : ''}`,
    retryable,
    // Its message alone: what fetch throws holds the address in many places.
    ...(cause !== undefined && { cause: new Error(withoutSecrets(errorMessage(cause), url)) }),
  });
}

export function downloadTooLarge(url: string, maxBytes: number): VisionscaleError {
  return new VisionscaleError(`${shownUrl(url)} is larger than ${(maxBytes / 2 ** 20).toFixed(0)} MiB`, {
    code: 'download_too_large',
    hint: 'That is not the expected file. Check the address, or the file, that was named.',
  });
}

/** For a file that is not the one that was meant; `otherwise`: how to take it all the same, where that is possible. */
export function checksumMismatch(
  what: string,
  found: string,
  expected: string,
  otherwise = ' To use a file you trust: --from <file> --sha256 <its checksum>.',
): VisionscaleError {
  return new VisionscaleError(`${what} has the sha256 ${found}, not ${expected}`, {
    code: 'checksum_mismatch',
    hint:
      'It is damaged, or not the expected file: nothing was installed. Try again; if it happens again, something on the\n' +
      `way (a proxy?) changes it.${otherwise}`,
  });
}

/** An address without what may be secret in it; what only looks like one, up to where its host may begin. */
export function shownUrl(url: string): string {
  if (!URL.canParse(url)) return /^\s*[a-z][a-z0-9+.-]*:\/\//i.exec(url)?.[0].trim().concat('…') ?? 'the address';
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** `text` without any address's secrets: those of `url`, and of another that a server or a library names. */
export function withoutSecrets(text: string, url: string): string {
  const whole = text.replaceAll(/\b[a-z][a-z0-9+.-]*:\/\/[^\s"'<>`]+/gi, (found) => shownUrl(found));
  if (!URL.canParse(url)) return whole;
  const { username, password, search } = new URL(url);
  const values = [username, password, ...[...new URLSearchParams(search)].map(([, value]) => value)];
  return values
    .flatMap((value) => [value, decoded(value), encodeURIComponent(value)])
    .filter((value) => value.length >= 4)
    .reduce((said, value) => said.replaceAll(value, '…'), whole);
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
