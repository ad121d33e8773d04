/** A folder to put keys in, as people write it. */
import { UsageError } from '../../base/errors.ts';
import { objectKeyFault } from '../../systems/objects/key.ts';

/** Empty, or what keys begin with, a slash at its end. Throws a UsageError. */
export function keyPrefix(text: string): string {
  const folder = text.replace(/^\/+|\/+$/g, '');
  if (folder === '') return '';
  const fault = objectKeyFault(folder);
  if (fault !== undefined) throw new UsageError(`the prefix cannot begin keys: ${fault}`);
  return `${folder}/`;
}
