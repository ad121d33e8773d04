/**
 * How keys are named on disk: reversibly, and the same as the key for ordinary ones (`cats/1.jpg` is `cats/1.jpg`).
 *
 * - `%` and what Windows refuses in names become `%XX`.
 * - `a` and `a/b` are both good keys, but no name can be a file and a directory at once. So names with an extension
 *   belong to files and names without to directories; the exceptions get one `%` at the end: the object `README` is
 *   the file `README%`, and the object `cat.jpg/1.png` lies in the directory `cat.jpg%`.
 * - A segment longer than a name may be is cut: all pieces but the last are directories that end in `%-`.
 *
 * A name that no key encodes to (`%tmp`, `50%.jpg`, `Makefile`) is not an object and is passed over by `list`. Case
 * and Unicode form are kept as they are, so a file system that folds them cannot hold both `A.jpg` and `a.jpg`;
 * `FileStore` sees that and refuses the second.
 */

export type DiskName =
  | { kind: 'file' | 'directory'; segment: string }
  /** A directory whose entries go on with this piece of a segment. */
  | { kind: 'piece'; piece: string };

/** In bytes; names may have 255 on every common file system, and a mark of two bytes is added. */
const MAX_NAME_BYTES = 240;

const PIECE_MARK = '%-';
const extension = /\.[A-Za-z][A-Za-z0-9]{0,7}$/;
const refusedByWindows = /[%\\:*?"<>|]|[. ]$/g;

/** The path of an object below the store's root, name by name. `key` is a good key. */
export function diskPath(key: string): string[] {
  const segments = key.split('/');
  return segments.flatMap((segment, at) => segmentNames(segment, at === segments.length - 1));
}

/** The directory that holds everything below the key prefix `folder` (`a/b`, no slash at its end). */
export function diskDirectory(folder: string): string[] {
  return folder.split('/').flatMap((segment) => segmentNames(segment, false));
}

/** What a directory entry stands for; null where nothing encodes to it. Whether it makes a good key is not checked. */
export function readDiskName(name: string, isDirectory: boolean): DiskName | null {
  const mark = name.endsWith(PIECE_MARK) ? PIECE_MARK : name.endsWith('%') ? '%' : '';
  const segment = unescape(name.slice(0, name.length - mark.length));
  if (segment === null || segment === '') return null;
  if (mark === PIECE_MARK) return isDirectory ? { kind: 'piece', piece: segment } : null;
  const read: DiskName = { kind: isDirectory ? 'directory' : 'file', segment };
  return marked(segment, !isDirectory) === name ? read : null;
}

function segmentNames(segment: string, isFile: boolean): string[] {
  const names: string[] = [];
  let piece = '';
  let bytes = 0;
  for (const char of segment) {
    // Escaped one by one, a trailing dot or space is always escaped: longer than needed, never shorter.
    const size = Buffer.byteLength(escape(char));
    if (bytes + size > MAX_NAME_BYTES) {
      names.push(escape(piece) + PIECE_MARK);
      piece = '';
      bytes = 0;
    }
    piece += char;
    bytes += size;
  }
  names.push(marked(piece, isFile));
  return names;
}

function marked(segment: string, isFile: boolean): string {
  return extension.test(segment) === isFile ? escape(segment) : `${escape(segment)}%`;
}

function escape(text: string): string {
  return text.replace(
    refusedByWindows,
    (char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`,
  );
}

/** Null where `text` is not what `escape` writes. */
function unescape(text: string): string | null {
  const plain = text.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return escape(plain) === text ? plain : null;
}
