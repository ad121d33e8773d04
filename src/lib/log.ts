/** Logs on stderr: JSON lines for machines, readable lines on a terminal. */
import { pino, type Logger } from 'pino';
import { PinoPretty } from 'pino-pretty';
import type { LogLevel } from './config/config.ts';

/** Synchronous, so that nothing said is lost when the process ends. */
export function openLog(level: LogLevel, interactive: boolean): Logger {
  if (interactive) {
    return pino(
      { level, base: null },
      PinoPretty({ destination: 2, sync: true, translateTime: 'SYS:HH:MM:ss' }),
    );
  }
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  );
}
