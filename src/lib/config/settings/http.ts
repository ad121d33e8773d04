/** Settings of `serve`, and of `classify` where it asks a server. */
import type { Setting } from './setting.ts';

export const serveRows = [
  {
    env: 'VISIONSCALE_HTTP_HOST',
    flag: '--host',
    value: 'address',
    section: 'Serve',
    description:
      'Address that `serve` listens on. Without tokens it accepts images on a loopback address only, and is read-only on others',
    schema: (kinds) => kinds.text,
    default: '127.0.0.1',
  },
  {
    env: 'VISIONSCALE_HTTP_PORT',
    flag: '--port',
    value: 'n',
    section: 'Serve',
    description: 'Port that `serve` listens on. 0: any free port',
    schema: (kinds) => kinds.wholeNumber(0, 65535),
    default: '8080',
  },
  {
    env: 'VISIONSCALE_TLS_CERT',
    flag: '--tls-cert',
    value: 'file',
    section: 'Serve',
    description:
      'File with the certificate of `serve` and its chain (PEM): it then speaks HTTPS only. Read again when it changes',
    schema: (kinds) => kinds.text,
    otherwise: 'none: plain HTTP',
    example: '/etc/visionscale/tls.pem',
  },
  {
    env: 'VISIONSCALE_TLS_KEY',
    flag: '--tls-key',
    value: 'file',
    section: 'Serve',
    description: 'File with the key of that certificate (PEM), not encrypted',
    schema: (kinds) => kinds.text,
    example: '/etc/visionscale/tls.key',
  },
  {
    env: 'VISIONSCALE_TOKENS',
    section: 'Serve',
    description:
      'Tokens that may use `serve`: name:sha256, or name:sha256:role with the role read, ingest (the default) or operate, separated by commas or lines, as `serve --new-token NAME` prints them',
    schema: (kinds) => kinds.tokens,
    example: 'belt-1:<64 hex digits>',
    secret: true,
  },
  {
    env: 'VISIONSCALE_CORS',
    flag: '--cors',
    value: 'origin,…',
    section: 'Serve',
    description: 'Origins of web pages that may call `serve`',
    schema: (kinds) => kinds.origins,
    otherwise: 'none',
    example: 'https://dashboard.example',
  },
  {
    env: 'VISIONSCALE_RATE_LIMIT',
    flag: '--rate-limit',
    value: 'n',
    section: 'Serve',
    description:
      'Most requests per second of a token, or of an address where there are no tokens. 0: no limit',
    schema: (kinds) => kinds.wholeNumber(0, 1_000_000),
    default: '0',
  },
  {
    env: 'VISIONSCALE_INGEST',
    flag: '--ingest',
    value: 'way',
    choices: ['store', 'inline'],
    section: 'Serve',
    description:
      'Where posted images go: store (the object store, and their keys into the topic) or inline (into the topic)',
    schema: (kinds) => kinds.oneOf(['store', 'inline']),
    default: 'store',
  },
  {
    env: 'VISIONSCALE_MAX_INLINE',
    flag: '--max-inline',
    value: 'bytes',
    section: 'Serve',
    description: 'Largest image sent inline; larger ones go to the store. Keep it below the broker’s limit',
    schema: (kinds) => kinds.wholeNumber(1, 100_000_000),
    default: '900000',
  },
  {
    env: 'VISIONSCALE_MAX_IN_FLIGHT',
    flag: '--max-in-flight',
    value: 'n',
    section: 'Serve',
    description:
      'Most images between received and acknowledged, at most half of them from one sender. Beyond it senders are told to wait (429)',
    schema: (kinds) => kinds.wholeNumber(1, 10_000),
    default: '64',
  },
  {
    env: 'VISIONSCALE_DRAIN_DELAY',
    flag: '--drain-delay',
    value: 'time',
    section: 'Serve',
    description:
      'How long `serve` still answers after SIGTERM while /readyz says 503, so that load balancers notice',
    schema: (kinds) => kinds.duration,
    default: '0',
  },
] as const satisfies readonly Setting[];

export const classifyRows = [
  {
    env: 'VISIONSCALE_SERVER',
    flag: '--server',
    value: 'url',
    section: 'Classify',
    description: 'Server that `classify` sends images to',
    schema: (kinds) => kinds.serverUrl,
    example: 'http://127.0.0.1:8080',
  },
  {
    env: 'VISIONSCALE_TOKEN',
    flag: '--token',
    value: 'token',
    section: 'Classify',
    description: 'Token for the server. VISIONSCALE_TOKEN_FILE is safer than the flag',
    schema: (kinds) => kinds.text,
    secret: true,
  },
] as const satisfies readonly Setting[];
