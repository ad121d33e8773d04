/** Names and versions of models: also the names of their directories, so that no path can leave the store. */
import { UsageError } from '../../base/errors.ts';

/** Letters, digits, `.`, `_`, `-`; the first is a letter or digit, so neither `..` nor a hidden file is a name. */
const pattern = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$/;
/** Windows knows these as devices, whatever follows the first dot. */
const devices = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

export function isModelName(text: string): boolean {
  return pattern.test(text) && !devices.test(text) && !text.endsWith('.');
}

/** Throws a UsageError. `what` is `name` or `version`. */
export function checkModelName(text: string, what: 'name' | 'version'): string {
  if (isModelName(text)) return text;
  throw new UsageError(
    `${JSON.stringify(text)} cannot be the ${what} of a model`,
    'Use 1 to 100 of the characters a-z A-Z 0-9 . _ - and begin with a letter or digit.',
  );
}

export type Reference =
  | { kind: 'path'; path: string }
  | { kind: 'digest'; prefix: string }
  | { kind: 'name'; name: string; version?: string };

/**
 * What a person may mean by a model. With a separator or `.onnx` it is a path; `sha256:…` (6 digits or more) is a digest;
 * a word may be a name or the first digits of a digest, in this order, which only the store can tell.
 */
export function parseReference(text: string): Reference {
  if (/[\\/]/.test(text) || /\.onnx$/i.test(text) || text === '.' || text === '..')
    return { kind: 'path', path: text };
  const digest = /^sha256:([0-9a-f]{6,64})$/.exec(text);
  if (digest) return { kind: 'digest', prefix: `sha256:${digest[1]}` };
  const [name, version, ...rest] = text.split('@');
  if (!isModelName(name!) || rest.length > 0 || (version !== undefined && !isModelName(version))) {
    return { kind: 'path', path: text };
  }
  return { kind: 'name', name: name!, ...(version !== undefined && { version }) };
}
