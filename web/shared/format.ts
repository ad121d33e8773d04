/** Numbers and times as people read them, in the viewer's zone and way of writing. */

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });

export function number(value: number): string {
  return whole.format(value);
}

/** A tenth matters below ten. */
export function rate(value: number): string {
  return value > 0 && value < 10 ? tenth.format(value) : whole.format(value);
}

/** What is little is not nothing. */
export function percent(value: number): string {
  if (value > 0 && value < 0.05) return `< ${tenth.format(0.1)} %`;
  return `${tenth.format(value)} %`;
}

const hundredth = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });

/** What a hundredth of matters, such as novelty. */
export function fraction(value: number): string {
  return hundredth.format(value);
}

export function cores(value: number | null): string {
  return value === null ? '–' : fraction(value);
}

/** Powers of 1000, as in the terminal. */
export function memory(bytes: number | null): string {
  if (bytes === null) return '–';
  return bytes < 1e9 ? `${whole.format(bytes / 1e6)} MB` : `${tenth.format(bytes / 1e9)} GB`;
}

export function milliseconds(value: number | null): string {
  if (value === null) return '–';
  return value < 1000 ? `${rate(value)} ms` : `${tenth.format(value / 1000)} s`;
}

export function age(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}

const second = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

/** The day too, where it is not today. */
export function moment(iso: string): string {
  const date = new Date(iso);
  return date.toDateString() === new Date().toDateString() ? second.format(date) : full.format(date);
}

const minute = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

/** In seconds since the epoch; for axes. */
export function clock(at: number, withSeconds: boolean): string {
  return (withSeconds ? second : minute).format(new Date(at * 1000));
}

const rough = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** Without seconds, which nobody knows of what came slowly. */
export function roughMoment(iso: string): string {
  const date = new Date(iso);
  return (date.toDateString() === new Date().toDateString() ? minute : rough).format(date);
}

export function fullMoment(iso: string): string {
  return full.format(new Date(iso));
}
