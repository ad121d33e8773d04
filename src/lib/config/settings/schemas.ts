/** The kinds of values that settings have: from the text of a variable or flag to what it means. */
import { z } from 'zod';
import { durationMs } from '../../base/duration.ts';
import { errorMessage } from '../../base/errors.ts';
import { devices, engineNames } from '../../models/classifier/classifier.ts';
import { eventKeyForms } from '../../systems/message/rules.ts';
import { isBucketName } from '../../systems/objects/open.ts';
import { parseOrigins, parseServerUrl, parseTokens } from '../http.ts';
import { sslModes, withHost } from '../postgres.ts';

export const text = z.string();

export const wholeNumber = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d+$/, `must be a whole number from ${least} to ${most}`)
    .transform(Number)
    .refine((n) => n >= least && n <= most, `must be a whole number from ${least} to ${most}`);

/** In milliseconds. */
export const duration = z
  .string()
  .refine((given) => durationMs(given) !== undefined, 'must be a duration such as 500ms, 30s, 15m or 1h')
  .transform((given) => durationMs(given)!);

export const durationAbove0 = duration.refine((ms) => ms > 0, 'must be above 0');

export const oneOf = <const Name extends string>(names: readonly Name[]) =>
  z.enum(names, { error: `must be ${names.join(', ').replace(/, ([^,]*)$/, ' or $1')}` });

export const trueOrFalse = oneOf(['true', 'false']).transform((given) => given === 'true');

/** Names separated by commas, each of which `isOne`. */
const names = (isOne: (name: string) => boolean, fault: string) =>
  z
    .string()
    .transform((given) => given.split(',').map((name) => name.trim()))
    .refine((all) => all.every(isOne), fault);

/** A value with a grammar of its own, whose parser throws an Error that says what is wrong without repeating a secret. */
const parsedBy = <T>(parse: (given: string) => T) =>
  z.string().transform((given, context) => {
    try {
      return parse(given);
    } catch (error) {
      context.addIssue({ code: 'custom', message: errorMessage(error) });
      return z.NEVER;
    }
  });

export const pipelineName = z
  .string()
  .regex(/^[\w.-]{1,200}$/, 'must be 1 to 200 of the characters a-z A-Z 0-9 . _ -');

export const logLevel = oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']);

export const databaseUrl = z
  .string()
  .regex(/^postgres(ql)?:\/\//, { error: 'must begin with postgres:// or postgresql://', abort: true })
  .refine(
    (url) => isDatabaseUrl(withHost(url)),
    'is not a valid URL (special characters in the password are percent-encoded)',
  );

/** A password with a bare `#`, `?` or `/` would end before the host: what follows became a host, a database or a parameter's name. */
function isDatabaseUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { pathname, searchParams } = new URL(text);
  return !text.includes('#') && ![pathname, ...searchParams.keys()].some((part) => part.includes('@'));
}

export const sslMode = oneOf(sslModes);

export const brokers = names(
  isBroker,
  'must be host:port (ports 1 to 65535), or several separated by commas',
).transform((all) => all.join(','));

/** librdkafka takes what is above 65535 for another port, and a protocol that it does not know for a host. */
function isBroker(text: string): boolean {
  const port =
    /^(?:(?:sasl_)?(?:plaintext|ssl):\/\/)?(?:\[[\da-f:.]+(?:%[\w.-]+)?\]|[^\s,:/[\]]+):(\d{1,5})$/i.exec(
      text,
    )?.[1];
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65535;
}

export const topicName = z
  .string()
  .regex(/^[a-zA-Z0-9._-]{1,249}$/, 'must be 1 to 249 of the characters a-z A-Z 0-9 . _ -')
  .refine((name) => name !== '.' && name !== '..', 'must not be . or ..');

export const httpUrl = z
  .string()
  .refine((url) => /^https?:\/\//.test(url) && URL.canParse(url), 'must be an http:// or https:// URL');

export const engine = oneOf(['auto', ...engineNames]);
export const device = oneOf(devices);
export const eventKeyForm = oneOf(eventKeyForms);
export const classNames = names((name) => name !== '', 'must be names separated by commas');
export const bucketNames = names(isBucketName, 'must be bucket names separated by commas');
export const tokens = parsedBy(parseTokens);
export const origins = parsedBy(parseOrigins);
export const serverUrl = parsedBy(parseServerUrl);
