/** Which files are no images by their names: they are passed over, where nobody named them, and counted. */

/** What visionscale reads, and what it refuses by name because only a conversion makes it readable. */
const imageExtensions = new Set(
  (
    'jpg jpeg jpe jif jfif jfi pjpeg pjp mpo jps insp png apng webp gif tif tiff bmp dib ' +
    'heic heif heics heifs hif avif avifs svg svgz jxl jp2 j2k j2c jpc jpf jpx jpm mj2 jls jxr wdp hdp ' +
    'ico cur icns psd psb xcf tga pcx ppm pgm pbm pnm pam pfm hdr exr dds ktx xbm xpm flif bpg qoi ' +
    'dng cr2 cr3 crw nef nrw arw srf sr2 orf rw2 rwl raf pef srw 3fr fff erf kdc dcr mrw x3f iiq gpr raw'
  ).split(' '),
);

/** What systems put beside images; other such directories begin with a dot. */
const litterDirectories = new Set(['__MACOSX', '@eaDir']);

/**
 * What kind of thing it is that is passed over, as the summary names it: `.txt`, `.DS_Store`, `.git/` for a directory.
 * Undefined for what may be an image: also a file without an extension, for cameras and crawlers write such.
 */
export function foreignKind(name: string, isDirectory: boolean): string | undefined {
  if (isDirectory) return name.startsWith('.') || litterDirectories.has(name) ? `${name}/` : undefined;
  if (name.startsWith('.')) return name === '.DS_Store' ? name : name.startsWith('._') ? '._*' : '.*';
  const extension = fileExtension(name);
  return extension === undefined || imageExtensions.has(extension) ? undefined : `.${extension}`;
}

/**
 * Without the dot, in small letters. Copies and crawlers add to it: `a.jpg.1`, `a.jpg?w=200`, `a.jpg_large`, `a.jpg~`. What
 * holds no letter is a number, not an extension: `frame.0001`.
 */
export function fileExtension(name: string): string | undefined {
  const found = /.\.([a-z0-9]{1,16})(?:[?_:;&#!@~-][^.]*)?$/i.exec(
    name.replace(/(?<=.)\?.*$/s, '').replace(/(?<=.)(\.\d+)+$/, ''),
  );
  const extension = found?.[1]!.toLowerCase();
  return extension !== undefined && /[a-z]/.test(extension) ? extension : undefined;
}

/** Why it is rejected where nothing may be passed over. */
export function foreignReason(kind: string): string {
  return kind.endsWith('/') ? 'directories of this name are not entered' : 'it is not an image by name';
}

/** What was passed over: as a count, and how many there were of each kind. */
export interface PassedOver {
  passedOver: number;
  passedOverKinds: Record<string, number>;
}

/** Kinds beyond these are counted together. */
const mostKinds = 100;
const otherKinds = 'other';

export class PassedOverCount {
  readonly #kinds = new Map<string, number>();

  add(kind: string, count = 1): void {
    const at = this.#kinds.has(kind) || this.#kinds.size < mostKinds ? kind : otherKinds;
    this.#kinds.set(at, (this.#kinds.get(at) ?? 0) + count);
  }

  /** The most frequent kind first. */
  get result(): PassedOver {
    const kinds = [...this.#kinds].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
    return {
      passedOver: kinds.reduce((sum, [, count]) => sum + count, 0),
      passedOverKinds: Object.fromEntries(kinds),
    };
  }
}

/** Of several places together. */
export function passedOverTogether(several: readonly (PassedOver | undefined)[]): PassedOver {
  const all = new PassedOverCount();
  for (const one of several) {
    for (const [kind, count] of Object.entries(one?.passedOverKinds ?? {})) all.add(kind, count);
  }
  return all.result;
}

/** Kinds that are named in a sentence. */
const mostNamed = 6;

/** `passed over 3 files that are not images by name (.json, .txt) and 1 directory (.git/)`; empty where nothing was. */
export function passedOverLine({ passedOverKinds }: PassedOver): string {
  const kinds = Object.entries(passedOverKinds);
  const files = kinds.filter(([kind]) => !kind.endsWith('/'));
  const directories = kinds.filter(([kind]) => kind.endsWith('/'));
  const parts: string[] = [];
  if (files.length > 0) {
    const count = countOf(files);
    const what = count === 1 ? 'file that is not an image' : 'files that are not images';
    parts.push(`${count} ${what} by name (${named(files)})`);
  }
  if (directories.length > 0) {
    const count = countOf(directories);
    parts.push(`${count} ${count === 1 ? 'directory' : 'directories'} (${named(directories)})`);
  }
  return parts.length === 0 ? '' : `passed over ${parts.join(' and ')}`;
}

function countOf(kinds: readonly (readonly [string, number])[]): number {
  return kinds.reduce((sum, [, count]) => sum + count, 0);
}

function named(kinds: readonly (readonly [string, number])[]): string {
  const names = kinds.slice(0, mostNamed).map(([kind]) => kind);
  const more = kinds.length - names.length;
  return [...names, ...(more > 0 ? [`${more} more`] : [])].join(', ');
}
