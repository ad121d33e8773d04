/** Reads Prometheus's text format as strictly as a scraper does; a line that it would refuse throws. */

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export class Exposition {
  /** counter, gauge or histogram, by the name of the metric. */
  readonly types = new Map<string, string>();
  readonly help = new Map<string, string>();
  readonly samples: Sample[] = [];

  constructor(text: string) {
    if (!text.endsWith('\n')) throw new Error('it does not end with a line feed');
    for (const line of text.split('\n')) {
      if (line === '') continue;
      const comment = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line);
      if (comment) (comment[1] === 'TYPE' ? this.types : this.help).set(comment[2]!, comment[3]!);
      else this.samples.push(sample(line));
    }
  }

  /** Null where there is no such sample; labels that are not named may be anything. */
  value(name: string, labels: Record<string, string> = {}): number | null {
    const found = this.samples.filter(
      (s) => s.name === name && Object.entries(labels).every(([label, value]) => s.labels[label] === value),
    );
    if (found.length > 1)
      throw new Error(`${name} with ${JSON.stringify(labels)} is ${found.length} samples`);
    return found[0]?.value ?? null;
  }

  /** The metric that a sample belongs to. */
  metricOf({ name }: Sample): string {
    if (this.types.has(name)) return name;
    const whole = name.replace(/_(bucket|sum|count)$/, '');
    if (this.types.get(whole) !== 'histogram') throw new Error(`${name} has no TYPE`);
    return whole;
  }
}

function sample(line: string): Sample {
  const parts = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
  if (!parts) throw new Error(`not a sample: ${line}`);
  const labels: Record<string, string> = {};
  let rest = parts[2] ?? '';
  while (rest !== '') {
    const label = /^([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/.exec(rest);
    if (!label) throw new Error(`not labels: ${rest}`);
    labels[label[1]!] = label[2]!.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
    rest = rest.slice(label[0].length);
  }
  const text = parts[3]!;
  const value = /^[+-]Inf$/.test(text) ? (text.startsWith('-') ? -Infinity : Infinity) : Number(text);
  if (Number.isNaN(value)) throw new Error(`not a number: ${line}`);
  return { name: parts[1]!, labels, value };
}
