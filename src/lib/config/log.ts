/** Logs on stderr: JSON lines for machines, readable lines on a terminal. */
import { pino, type Logger } from 'pino';
import { printableJson, printableLines } from '../base/printable.ts';
import type { LogLevel } from './config.ts';

/** Who writes the lines: in each of them for machines, which collect those of many hosts. */
export interface LogSource {
  /** The command. */
  role: string;
  host: string;
  pipeline: string;
}

/** Synchronous, so that nothing said is lost when the process ends. What comes from outside cannot steer a terminal. */
export async function openLog(level: LogLevel, interactive: boolean, source: LogSource): Promise<Logger> {
  if (interactive) {
    const { PinoPretty } = await import('pino-pretty');
    return pino(
      { level, base: null, hooks: { streamWrite: printableValues } },
      PinoPretty({ destination: 2, sync: true, translateTime: 'SYS:HH:MM:ss' }),
    );
  }
  return pino(
    {
      level,
      base: source,
      // Words, for people and collectors read them; pino's own are numbers.
      formatters: { level: (label) => ({ level: label }) },
      timestamp: pino.stdTimeFunctions.isoTime,
      hooks: { streamWrite: printableJson },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}

/** Of a line that is about to be laid out for people: escapes in JSON would be undone there. */
export function printableValues(line: string): string {
  const document = JSON.parse(line, (_key, value: unknown) =>
    typeof value === 'string' ? printableLines(value) : value,
  ) as unknown;
  return `${JSON.stringify(document)}\n`;
}
