/** Filters of searches, in addresses and forms. */

/** What of an address or a form is one of these filters and says something: as the server takes it. */
export function filtersOf(names: readonly string[], given: { get(name: string): unknown }): URLSearchParams {
  const found = new URLSearchParams();
  for (const name of names) {
    const value = given.get(name);
    if (typeof value === 'string' && value.trim() !== '') found.set(name, value.trim());
  }
  return found;
}
