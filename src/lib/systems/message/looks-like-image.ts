/** Whether bytes begin as an image file does: a first look, before anything is decoded. */

const signatures: readonly (readonly [at: number, bytes: string])[] = [
  [0, '\xff\xd8\xff'], // JPEG
  [0, '\x89PNG\r\n\x1a\n'],
  [0, 'GIF87a'],
  [0, 'GIF89a'],
  [8, 'WEBP'],
  [0, 'II*\0'], // TIFF
  [0, 'MM\0*'],
  [0, 'BM'], // BMP
  [4, 'ftyp'], // HEIC, AVIF: refused by name later
];

export function looksLikeImage(bytes: Buffer): boolean {
  return signatures.some(([at, text]) => bytes.toString('latin1', at, at + text.length) === text);
}
