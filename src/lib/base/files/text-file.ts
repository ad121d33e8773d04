/** A small text file of the user's, read whole or refused with a reason that reads on after the file's name. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

export interface TextFileOptions {
  mostBytes: number;
  /** Pipes and devices are refused: some would be waited for without end. */
  onlyRegular?: boolean;
}

/** Of UTF-8, with or without a byte order mark. Throws an Error whose message is the reason; its cause has the code. */
export function readTextFile(path: string, options: TextFileOptions): string {
  return decoded(readBytes(path, options));
}

function readBytes(path: string, { mostBytes, onlyRegular = false }: TextFileOptions): Buffer {
  try {
    const file = openSync(path, onlyRegular ? constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) : 'r');
    try {
      const stats = fstatSync(file);
      if (stats.isDirectory()) throw new Error('is a directory, not a file');
      if (onlyRegular && !stats.isFile()) throw new Error('is not a regular file');
      const bytes = Buffer.allocUnsafe(mostBytes + 1);
      let filled = 0;
      for (let read = -1; read !== 0 && filled < bytes.length; filled += read) {
        read = readSync(file, bytes, filled, bytes.length - filled, null);
      }
      if (filled > mostBytes) throw new Error(`is larger than ${mostBytes} bytes`);
      return bytes.subarray(0, filled);
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === undefined) throw cause;
    throw new Error(reasons[code] ?? `cannot be read (${code})`, { cause });
  }
}

const reasons: Record<string, string> = {
  ENOENT: 'is not there',
  ENOTDIR: 'is not there',
  EISDIR: 'is a directory, not a file',
  EACCES: 'may not be read by this user',
  EPERM: 'may not be read by this user',
  ELOOP: 'is a link that leads nowhere',
};

function decoded(bytes: Buffer): string {
  const mark = bytes.subarray(0, 2).toString('hex');
  if (mark === 'fffe' || mark === 'feff') {
    throw new Error('is UTF-16 ("Unicode" in Notepad); save it as UTF-8');
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Error(`is not UTF-8 text (line ${firstBadLine(bytes)}); save it as UTF-8`);
  }
  const zero = text.indexOf('\0');
  if (zero >= 0)
    throw new Error(
      `contains a zero byte (line ${lineAt(text, zero)}): it is not text, or it is UTF-16; save it as UTF-8`,
    );
  return text;
}

/** Lines are whole characters in UTF-8, so the first that cannot be read alone is it. */
function firstBadLine(bytes: Buffer): number {
  let line = 1;
  for (let at = 0; at < bytes.length; line++) {
    const end = bytes.indexOf(0x0a, at);
    const part = bytes.subarray(at, end < 0 ? bytes.length : end);
    if (Buffer.compare(Buffer.from(part.toString('utf8')), part) !== 0) break;
    at = end < 0 ? bytes.length : end + 1;
  }
  return line;
}

/** The number of the line of the character at `index`, from 1. */
export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}
