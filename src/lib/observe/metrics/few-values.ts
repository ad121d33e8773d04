/** Keeps a label that comes from outside from becoming a series for every message. */

const otherValue = 'other';

/** The first `most` values as they are, every later one as `other`; none as the empty text. */
export function fewValues(most: number): (value: string | null) => string {
  const known = new Set<string>();
  return (value) => {
    if (value === null) return '';
    if (known.has(value)) return value;
    if (known.size >= most) return otherValue;
    known.add(value);
    return value;
  };
}
