/** Numbers as the report writes them. */

/** `3 images`, `1 image`. */
export function images(count: number): string {
  return count === 1 ? '1 image' : `${count} images`;
}

/** `a, b and c`; beyond `most`, `a, b and 7 others`. */
export function list(names: readonly string[], most = 6): string {
  const shown =
    names.length > most ? [...names.slice(0, most - 1), `${names.length - most + 1} others`] : names;
  return shown.length < 2 ? shown.join('') : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
}
