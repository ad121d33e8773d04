/** What a sender calls an image, made harmless: one segment of an object key, whatever was sent. */
import type { ImageFormat } from '../../models/images/sniff.ts';

/** Of UTF-8; with the rest of the key far below the 1024 that a key may have. */
const maxBytes = 200;

const extensions: Record<ImageFormat, readonly string[]> = {
  jpeg: ['jpg', 'jpeg', 'jpe', 'jfif'],
  png: ['png', 'apng'],
  webp: ['webp'],
  gif: ['gif'],
  tiff: ['tif', 'tiff'],
  bmp: ['bmp', 'dib'],
};

const imageExtensions = new Set(Object.values(extensions).flat());

/**
 * The last segment of the given name, in letters, digits, spaces and `. _ - + ( )` of any script; anything else is `_`.
 * No leading dots, no percent signs that somebody might decode. `image.<format>` where nothing is left.
 */
export function safeImageName(given: string | undefined, format: ImageFormat): string {
  const last = (given ?? '').toWellFormed().normalize('NFC').split(/[/\\]/).at(-1)!;
  const clean = last
    .replaceAll(/[^\p{L}\p{M}\p{N} ._+()-]/gu, '_')
    .replace(/^[. ]+/, '')
    .replace(/[. ]+$/, '');
  if (/^_*$/.test(clean)) return `image.${extensions[format][0]}`;
  if (Buffer.byteLength(clean) <= maxBytes) return clean;
  const extension = /\.[a-z0-9]{1,5}$/i.exec(clean)?.[0] ?? '';
  let cut = '';
  for (const char of clean.slice(0, clean.length - extension.length)) {
    if (Buffer.byteLength(cut + char) > maxBytes - extension.length) break;
    cut += char;
  }
  return cut.trimEnd() + extension;
}

/** The extension of a name that says it is something else than an image; undefined where it may be one. */
export function foreignExtension(name: string): string | undefined {
  const extension = /\.([^./\\]{1,20})$/.exec(name.trim())?.[1]?.toLowerCase();
  return extension === undefined || imageExtensions.has(extension) ? undefined : extension;
}

/** Node hands headers over byte by byte; most senders mean UTF-8. */
export function headerText(value: string): string {
  const bytes = Buffer.from(value, 'latin1');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return value;
  }
}
