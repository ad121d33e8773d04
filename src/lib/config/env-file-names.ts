/** What a `.env` may set: it may lie in a folder of somebody's pictures, so nothing that loads code, runs it or sends files. */
import { nearest } from '../base/nearest.ts';
import { kafkaProperty, propertyName } from './given.ts';
import { secretNames, settings } from './settings/settings.ts';

const own = new Set<string>(settings.map((s) => s.env));

/**
 * The setting whose secret lies in the file that this one names; undefined where it is none. The file's content would be sent
 * to the server that the same `.env` names.
 */
export function secretInFile(name: string): string | undefined {
  const base = /^(.+)_FILE$/i.exec(name)?.[1];
  return base !== undefined && (secretNames.has(base) || base.startsWith(kafkaProperty)) ? base : undefined;
}

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
 * places that credentials come from or are sent to: the services that give them fall back to AWS_ENDPOINT_URL.
 */
const awsForbidden =
  /(?<!PRO)FILE|CONFIG|CREDENTIAL|PROCESS|CONTAINER|IDENTITY|BUNDLE|DIR|PATH|METADATA_SERVICE|LAMBDA|NODE|_STS|_SSO|ENDPOINT_URL(?!_S3$)/;

/** Of OpenTelemetry's: those that name files. */
const otelForbidden = /CERTIFICATE|CLIENT_KEY|CONFIG|(?<!PRO)FILE/;

/** Of librdkafka's: libraries and engines that are loaded, a shell command and what is put into it, files that are sent. */
const kafkaForbidden = /^(plugin\.|ssl\.engine\.|ssl\.providers|sasl\.kerberos\.|sasl\.oauthbearer\..*file)/;

export function mayBeInEnvFile(name: string): boolean {
  if (/_FILE$/i.test(name)) return false;
  if (own.has(name) || lowerCase.has(name) || postgres.has(name)) return true;
  // Misspelt ones are refused together with those of the environment.
  if (/^VISIONSCALE_(?!TEST_|CI_)/.test(name)) return true;
  if (name.startsWith(kafkaProperty)) return !kafkaForbidden.test(propertyName(name));
  if (/^AWS_[A-Z0-9_]+$/.test(name)) return !awsForbidden.test(name) && misspelt(name) === undefined;
  if (/^OTEL_[A-Z0-9_]+$/.test(name)) return !otelForbidden.test(name) && misspelt(name) === undefined;
  return false;
}

/** For a person: what to do about a name that was passed over; undefined where there is nothing to say. */
export function adviceOn(name: string): string | undefined {
  const meant = misspelt(name);
  return meant === undefined || meant === name ? undefined : `did you mean ${meant}?`;
}

/** Short names are near to many. */
const leastLength = 6;

/** The setting that was probably meant. */
function misspelt(name: string): string | undefined {
  if (name.length < leastLength) return undefined;
  return nearest(name.toUpperCase(), [...own]);
}
