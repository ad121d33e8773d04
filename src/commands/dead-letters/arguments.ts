/** Parses the values of the flags and arguments of `dead-letters`. */
import { InvalidArgumentError } from 'commander';

/** The id of a row, which counts from 1. */
export function rowId(text: string): number {
  const value = Number(text);
  if (!/^[1-9]\d*$/.test(text) || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError('An id is a whole number above 0.');
  }
  return value;
}

/** For an argument that may be repeated. */
export function rowIds(text: string, before: number[] = []): number[] {
  return [...before, rowId(text)];
}

export function offsetNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError('An offset is a whole number.');
  }
  return value;
}

/** Of a dead letter that somebody makes. */
export function letterReason(text: string): string {
  if (text.trim() === '' || text.length > 500 || /\p{Cc}/u.test(text)) {
    throw new InvalidArgumentError('It must be 1 to 500 characters of text without control characters.');
  }
  return text;
}
