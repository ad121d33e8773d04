/** What a `.env` may set: it may lie in a folder of somebody's pictures, so nothing that loads code, runs it or reads files. */
import { kafkaProperty, propertyName } from './given.ts';
import { nearest } from './nearest.ts';
import { settings } from './settings.ts';

const own = new Set(settings.flatMap((s): string[] => ('secret' in s ? [s.env, `${s.env}_FILE`] : [s.env])));

/** The proxies' names are lower case as often as not. */
const lowerCase = new Set(['http_proxy', 'https_proxy', 'no_proxy']);

/** Of libpq's, beside the settings: none names a file, a directory, a service or a key (which may name an engine). */
const postgres = new Set(
  [
    'PGAPPNAME PGCHANNELBINDING PGCLIENTENCODING PGCONNECT_TIMEOUT PGDATESTYLE PGGSSENCMODE PGHOSTADDR PGKRBSRVNAME',
    'PGLOADBALANCEHOSTS PGOPTIONS PGREQUIREAUTH PGREQUIREPEER PGSSLMAXPROTOCOLVERSION PGSSLMINPROTOCOLVERSION',
    'PGSSLNEGOTIATION PGSSLSNI PGTARGETSESSIONATTRS PGTZ',
  ].flatMap((names) => names.split(' ')),
);

/**
 * Of the AWS SDK's those that name files (a configuration may name programs that give credentials), tokens in files, and
 * places that credentials come from or are sent to.
 */
const awsForbidden =
  /(?<!PRO)FILE|CONFIG|CREDENTIAL|PROCESS|CONTAINER|IDENTITY|BUNDLE|DIR|PATH|METADATA_SERVICE|LAMBDA|NODE|_STS|_SSO/;

/** Of librdkafka's: libraries and engines that are loaded, a shell command and what is put into it, files that are sent. */
const kafkaForbidden = /^(plugin\.|ssl\.engine\.|ssl\.providers|sasl\.kerberos\.|sasl\.oauthbearer\..*file)/;

export function mayBeInEnvFile(name: string): boolean {
  if (own.has(name) || lowerCase.has(name) || postgres.has(name)) return true;
  // Misspelt ones are refused together with those of the environment.
  if (/^VISIONSCALE_(?!TEST_|CI_)/.test(name)) return true;
  if (name.startsWith(kafkaProperty)) return !kafkaForbidden.test(propertyName(name.replace(/_FILE$/, '')));
  if (/^AWS_[A-Z0-9_]+$/.test(name)) return !awsForbidden.test(name) && misspelt(name) === undefined;
  return false;
}

/** Short names are near to many. */
const leastLength = 6;

/** The setting that was probably meant. */
export function misspelt(name: string): string | undefined {
  if (name.length < leastLength) return undefined;
  return nearest(name.toUpperCase(), [...own]);
}
