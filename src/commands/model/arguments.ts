/** Parses the values of the flags and arguments of `model`. */
import { InvalidArgumentError } from 'commander';

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

export function sha256(text: string): string {
  if (!/^[0-9a-f]{64}$/i.test(text)) throw new InvalidArgumentError('It must be 64 hex digits.');
  return text.toLowerCase();
}
