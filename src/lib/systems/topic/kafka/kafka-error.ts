/** Turns librdkafka's errors into TopicErrors: can a retry help, and what should be done. */
import { TopicError } from '../../../base/errors.ts';

/** librdkafka's numbers for the errors that are told apart here. */
export const codes = {
  fatal: -150,
  offsetReset: -140,
  authentication: -169,
  ssl: -181,
  timedOut: -185,
  unknownTopic: -188,
  unknownPartition: -190,
  queueFull: -184,
  assign: -175,
  revoke: -174,
  notImplemented: -170,
  offsetOutOfRange: 1,
  unknownTopicOrPartition: 3,
  messageTooLarge: 10,
  invalidTimestamp: 32,
  invalidRecord: 87,
  topicAuthorization: 29,
  groupAuthorization: 30,
  topicExists: 36,
  invalidReplicationFactor: 38,
  policyViolation: 44,
  unsupportedCompression: 76,
} as const;

const login = [codes.authentication, codes.ssl, 33, 34, 58] as number[];
const forbidden = [codes.topicAuthorization, codes.groupAuthorization, 31, 53, 65] as number[];
/** Wrong settings, or a request no broker will ever take. */
const final = [
  -186,
  -172,
  codes.notImplemented,
  17,
  23,
  24,
  26,
  35,
  37,
  40,
  42,
  43,
  codes.policyViolation,
  codes.unsupportedCompression,
] as number[];

const byText: [RegExp, number][] = [
  [/message size too large/i, codes.messageTooLarge],
  [/failed to validate record/i, codes.invalidRecord],
  [/invalid timestamp/i, codes.invalidTimestamp],
  [/message timed out/i, -192],
  [/fatal error/i, codes.fatal],
  [/authentication failure/i, codes.authentication],
  [/ssl error/i, codes.ssl],
  [/topic authorization failed/i, codes.topicAuthorization],
  [/group authorization failed/i, codes.groupAuthorization],
  [/cluster authorization failed/i, 31],
];

/** The number of an error. Delivery reports and events carry only the text. */
export function kafkaErrorCode(error: unknown): number {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code === 'number' && code !== -1) return code;
  return byText.find(([pattern]) => pattern.test(String(message)))?.[1] ?? -1;
}

/** What was asked, and as whom. */
export interface Place {
  brokers: string;
  topic?: string;
  group?: string;
  /** librdkafka's. */
  properties?: Readonly<Record<string, string>>;
}

/** Wraps what librdkafka said while `doing` something at a place. A TopicError comes back as it is. */
export function kafkaToTopicError(error: unknown, doing: string, place: Place, detail?: string): TopicError {
  if (error instanceof TopicError) return error;
  const { brokers } = place;
  const number = kafkaErrorCode(error);
  const text = `Kafka at ${brokers}: ${doing}: ${(error as { message?: string }).message ?? String(error)}`;
  const message = detail === undefined ? text : `${text} (${detail})`;
  if (login.includes(number) || (detail !== undefined && /SASL|AUTH|certificate/.test(detail))) {
    return new TopicError(message, {
      code: 'kafka_login_failed',
      hint: 'Check KAFKA_CONF_security_protocol, KAFKA_CONF_sasl_* and KAFKA_CONF_ssl_*.',
      cause: error,
    });
  }
  if (forbidden.includes(number)) {
    return new TopicError(message, {
      code: 'kafka_permission_denied',
      hint: missingAcl(number, doing, place),
      cause: error,
    });
  }
  if (final.includes(number)) return new TopicError(message, { code: 'kafka_refused', cause: error });
  return new TopicError(message, {
    code: 'broker_unavailable',
    retryable: true,
    hint: reachable,
    cause: error,
  });
}

/** By the first word of what was done. */
const operations: Record<string, string> = {
  sending: 'Write',
  reading: 'Read',
  asking: 'Describe',
  committing: 'Read',
  belonging: 'Read',
  creating: 'Create',
  adding: 'Alter',
};

/** Whether the brokers deny this user something. */
export function isForbidden(error: unknown): boolean {
  return forbidden.includes(kafkaErrorCode(error));
}

/** The line that gives it. Kafka says neither which operation it was nor on what. */
function missingAcl(number: number, doing: string, { brokers, topic, group, properties }: Place): string {
  const operation = operations[doing.split(' ')[0] ?? ''] ?? 'Describe';
  // Brokers give the number of an idempotent producer to whoever may write to some topic.
  const ofTopic = number === codes.topicAuthorization || operation === 'Write';
  const on =
    number === codes.groupAuthorization
      ? `--group '${group ?? '…'}'`
      : ofTopic
        ? `--topic '${topic ?? '…'}'`
        : '--cluster';
  // Who may not describe a topic is told the same as of one that is not there.
  const create = doing.startsWith('creating')
    ? '\nIf the topic exists, this user lacks Describe on it, which Read and Write include.'
    : '';
  return (
    'Have an administrator run (docs/security.md has the ACLs of each role):\n' +
    `  kafka-acls.sh --bootstrap-server ${brokers} --add --allow-principal 'User:${properties?.['sasl.username'] ?? '…'}' --operation ${operation} ${on}${create}`
  );
}

export const reachable =
  'Check that Kafka runs there, that KAFKA_BROKERS names it, and that its advertised listeners are reachable.';
