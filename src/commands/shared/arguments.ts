/** Parses the values of flags; a wrong one is told by commander with the flag's name. */
import { InvalidArgumentError } from 'commander';
import { durationMs } from '../../lib/config/duration.ts';

export function positive(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || !(value > 0))
    throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

export function countAbove0(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError('It must be above 0.');
  return value;
}

/** For a flag that may be repeated. */
export function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

/** Names from a list, separated by commas. */
export function someOf<Name extends string>(names: readonly Name[]): (text: string) => Name[] {
  return (text) =>
    text.split(',').map((part) => {
      const found = names.find((name) => name === part.trim());
      if (found === undefined) throw new InvalidArgumentError(`There are ${names.join(', ')}.`);
      return found;
    });
}

/** Three numbers, one a colour channel. */
export function perChannel(text: string): [number, number, number] {
  const values = text.split(',').map(Number);
  if (values.length !== 3 || !/^[-+.\de,\s]+$/i.test(text) || !values.every(Number.isFinite)) {
    throw new InvalidArgumentError('It must be three numbers, for red, green and blue: 0.485,0.456,0.406');
  }
  return values as [number, number, number];
}

/** From 0 to 1. */
export function share(text: string): number {
  const value = Number(text);
  if (!/^\d*\.?\d+$/.test(text) || value > 1)
    throw new InvalidArgumentError('It must be a number from 0 to 1.');
  return value;
}

/** Above 0, up to 100. */
export function percentage(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || !(value > 0 && value <= 100)) {
    throw new InvalidArgumentError('It must be a number above 0 and up to 100.');
  }
  return value;
}

export function sha256(text: string): string {
  if (!/^[0-9a-f]{64}$/i.test(text)) throw new InvalidArgumentError('It must be 64 hex digits.');
  return text.toLowerCase();
}

export function beltName(text: string): string {
  if (text === '' || Buffer.byteLength(text) > 256 || /\p{Cc}/u.test(text)) {
    throw new InvalidArgumentError('It must be 1 to 256 bytes of text without control characters.');
  }
  return text;
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

export function tokenName(text: string): string {
  if (!/^[A-Za-z0-9._-]{1,100}$/.test(text)) {
    throw new InvalidArgumentError('A name is 1 to 100 of the characters a-z A-Z 0-9 . _ -');
  }
  return text;
}

/** A length of time, in milliseconds: at least 50 ms, at most a day. */
export function durationOf(text: string): number {
  const ms = durationMs(text);
  if (ms === undefined || ms < 50 || ms > 86_400_000) {
    throw new InvalidArgumentError('It must be a time such as 200ms, 5s or 1m, from 50ms to 1d.');
  }
  return ms;
}

/** `upload`, `classify`, `train` and `evaluate` alike. */
export const followLinks = [
  '--follow-links',
  'follow symbolic links that lead out of the directory; otherwise they are passed over',
] as const;
