/** How long something has lasted, for people: `12 s`, `2 min`, `3 h 5 min`, `2 d 4 h`. */

export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (minutes === 0) return `${seconds} s`;
  if (hours === 0) return `${minutes} min`;
  if (days === 0) return both(`${hours} h`, minutes % 60, 'min');
  return both(`${days} d`, hours % 24, 'h');
}

function both(large: string, count: number, unit: string): string {
  return count === 0 ? large : `${large} ${count} ${unit}`;
}
