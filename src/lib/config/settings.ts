/** Every setting there is: its environment variable, flag, default and meaning. `.env.example` and the README come from here. */

export interface Setting {
  env: string;
  /** The long flag that overrides it, where there is one. */
  flag?: string;
  /** Placeholder of the flag's value in `--help`. */
  value?: string;
  section:
    | 'General'
    | 'PostgreSQL'
    | 'Topic'
    | 'Object store'
    | 'Model'
    | 'Upload'
    | 'Train'
    | 'Consume'
    | 'Metrics'
    | 'Serve'
    | 'Classify';
  description: string;
  /** As shown to people; undefined where there is none. */
  default?: string;
  example?: string;
  /** May come from a file named by `<env>_FILE`; never printed. */
  secret?: boolean;
}

export const settings = [
  {
    env: 'VISIONSCALE_DATA_DIR',
    flag: '--data-dir',
    value: 'dir',
    section: 'General',
    description: 'Where everything embedded lives: PostgreSQL, images, locks.',
    default: '$XDG_DATA_HOME/visionscale, else ~/.local/share/visionscale',
  },
  {
    env: 'VISIONSCALE_PIPELINE',
    flag: '--pipeline',
    value: 'name',
    section: 'General',
    description:
      'Name under which positions, owners and predictions belong together; also the Kafka group id.',
    default: 'default',
  },
  {
    env: 'VISIONSCALE_LOG_LEVEL',
    flag: '--log-level',
    value: 'level',
    section: 'General',
    description: 'trace, debug, info, warn, error, fatal or silent. Logs go to stderr.',
    default: 'info',
  },
  {
    env: 'DATABASE_URL',
    section: 'PostgreSQL',
    description: 'The PostgreSQL server; without it and without PG*, an embedded PostgreSQL is used.',
    example: 'postgres://visionscale:password@db.example:5432/my_db',
    secret: true,
  },
  {
    env: 'PGHOST',
    section: 'PostgreSQL',
    description: 'Host of the server, instead of DATABASE_URL.',
    example: 'db.example',
  },
  { env: 'PGPORT', section: 'PostgreSQL', description: 'Port of the server.', default: '5432' },
  { env: 'PGUSER', section: 'PostgreSQL', description: 'User.', default: 'the operating system user' },
  { env: 'PGPASSWORD', section: 'PostgreSQL', description: 'Password.', secret: true },
  {
    env: 'PGDATABASE',
    section: 'PostgreSQL',
    description: 'Database; also where DATABASE_URL names none.',
    default: 'my_db',
  },
  {
    env: 'PGSSLMODE',
    section: 'PostgreSQL',
    description:
      'disable, allow, prefer, require (checks the certificate where PGSSLROOTCERT is set), verify-ca or verify-full; sslmode in DATABASE_URL means the same.',
    default: 'disable',
  },
  {
    env: 'PGSSLROOTCERT',
    section: 'PostgreSQL',
    description: "File with the server's certificate authority.",
    example: '/etc/ssl/db-ca.pem',
  },
  {
    env: 'PGOPTIONS',
    section: 'PostgreSQL',
    description:
      'Settings for the sessions, as `options` in DATABASE_URL: several installations in one database have a schema each.',
    example: '-csearch_path=line_2',
  },
  {
    env: 'KAFKA_BROKERS',
    flag: '--brokers',
    value: 'host:port,…',
    section: 'Topic',
    description: 'Kafka brokers; without it the topic is a log in PostgreSQL.',
    example: 'kafka1:9092,kafka2:9092',
  },
  {
    env: 'KAFKA_TOPIC',
    flag: '--topic',
    value: 'name',
    section: 'Topic',
    description: 'Name of the topic.',
    default: 'visionscale.images',
  },
  {
    env: 'VISIONSCALE_PARTITIONS',
    flag: '--partitions',
    value: 'n',
    section: 'Topic',
    description: 'Partitions of the topic when it is created.',
    default: '3',
  },
  {
    env: 'VISIONSCALE_STORE',
    flag: '--store',
    value: 'url',
    section: 'Object store',
    description: 's3://bucket/prefix or file:///dir.',
    default: 'images/ in the data directory',
  },
  {
    env: 'S3_ENDPOINT',
    section: 'Object store',
    description: 'Any S3-compatible server instead of AWS.',
    example: 'http://127.0.0.1:9000',
  },
  {
    env: 'AWS_REGION',
    section: 'Object store',
    description: 'Region of the bucket.',
    default: 'us-east-1 with S3_ENDPOINT',
  },
  {
    env: 'AWS_ACCESS_KEY_ID',
    section: 'Object store',
    description: 'Key; without one the usual AWS places are searched (profile, instance role).',
    secret: true,
  },
  { env: 'AWS_SECRET_ACCESS_KEY', section: 'Object store', description: 'Secret of that key.', secret: true },
  {
    env: 'AWS_SESSION_TOKEN',
    section: 'Object store',
    description: 'Token of temporary credentials.',
    secret: true,
  },
  {
    env: 'VISIONSCALE_MODEL',
    flag: '--model',
    value: 'model',
    section: 'Model',
    description:
      'A model of the store (name, name@version or digest), an ONNX file with labels.txt beside it, or a model directory.',
    default: 'the active model of the store',
    example: '/srv/models/squeezenet1_1.onnx',
  },
  {
    env: 'VISIONSCALE_MODELS',
    flag: '--models',
    value: 'dir',
    section: 'Model',
    description: 'The model store of this user.',
    default: '$XDG_DATA_HOME/visionscale/models, else ~/.local/share/visionscale/models',
  },
  {
    env: 'HTTP_PROXY',
    section: 'Model',
    description: 'Proxy for http:// downloads of `model pull`.',
    example: 'http://proxy.example:3128',
    secret: true,
  },
  {
    env: 'HTTPS_PROXY',
    section: 'Model',
    description: 'Proxy for https:// downloads of `model pull`.',
    example: 'http://proxy.example:3128',
    secret: true,
  },
  {
    env: 'NO_PROXY',
    section: 'Model',
    description: 'Hosts that are reached without the proxy.',
    example: 'localhost,.example.com',
  },
  {
    env: 'VISIONSCALE_ENGINE',
    flag: '--engine',
    value: 'name',
    section: 'Model',
    description:
      'onnx (native), tfjs (TensorFlow; SqueezeNet only), wasm (anywhere) or auto (the first that works).',
    default: 'auto',
  },
  {
    env: 'VISIONSCALE_DEVICE',
    flag: '--device',
    value: 'name',
    section: 'Model',
    description:
      'Where the engine onnx computes: cpu, cuda, tensorrt, coreml, dml or webgpu; nothing else in its place.',
    default: 'cpu',
  },
  {
    env: 'VISIONSCALE_WORKERS',
    flag: '--workers',
    value: 'n',
    section: 'Model',
    description: 'Processes that decode and classify, one image at a time each.',
    default: 'the cores available',
  },
  {
    env: 'VISIONSCALE_AUTO_ORIENT',
    flag: '--no-auto-orient',
    section: 'Model',
    description: 'Turn images as their EXIF orientation says (true or false).',
    default: 'true',
  },
  {
    env: 'VISIONSCALE_PREPROCESS',
    flag: '--preprocess',
    value: 'mode',
    section: 'Model',
    description: 'exact (pixel for pixel the reference) or fast (quicker; 199 of 200 photographs the same).',
    default: 'exact',
  },
  {
    env: 'VISIONSCALE_MAX_IMAGE_BYTES',
    section: 'Model',
    description: 'Largest image taken, in bytes.',
    default: '67108864',
  },
  {
    env: 'VISIONSCALE_MAX_IMAGE_PIXELS',
    section: 'Model',
    description: 'Most pixels an image may have.',
    default: '50000000',
  },
  {
    env: 'VISIONSCALE_IMAGE_TIMEOUT',
    flag: '--image-timeout',
    value: 'time',
    section: 'Model',
    description:
      'Most work that decoding and classifying one image may take, in processor time; what takes more is rejected as too_slow.',
    default: '10s',
  },
  {
    env: 'IMG_DIR',
    section: 'Upload',
    description: 'What `upload` and `demo` take when no path is given.',
    example: './images',
  },
  {
    env: 'TRAINING_DATA_DIR',
    section: 'Train',
    description: 'What `train` takes when no directory is given.',
    example: './training',
  },
  {
    env: 'CLASS_NAMES',
    flag: '--classes',
    value: 'a,b,c',
    section: 'Train',
    description: 'The classes of `train`, in this order: names of folders, separated by commas.',
    default: 'all folders, by name',
    example: 'apple,banana,cherry',
  },
  {
    env: 'VISIONSCALE_PARTITION',
    section: 'Consume',
    description:
      'The partition of `consume` when --partition is not given; without it the first that nobody owns.',
    example: '0',
  },
  {
    env: 'VISIONSCALE_DEADLINE',
    flag: '--deadline',
    value: 'time',
    section: 'Consume',
    description:
      'From the capture of an image to its row: what takes longer goes to the manual bin, whatever it is.',
    default: 'none',
    example: '1500ms',
  },
  {
    env: 'VISIONSCALE_RESULTS_TOPIC',
    flag: '--no-results-topic',
    section: 'Consume',
    description:
      'Publish every result to <topic>.results and every dead letter to <topic>.dead (true or false).',
    default: 'true',
  },
  {
    env: 'VISIONSCALE_STALL_TIMEOUT',
    flag: '--stall-timeout',
    value: 'time',
    section: 'Consume',
    description:
      'Messages wait, nothing was recorded for so long and no cause is known: end with a diagnosis, for a supervisor to start anew; 0: never.',
    default: '60s',
  },
  {
    env: 'VISIONSCALE_NOT_FOUND_GRACE',
    flag: '--not-found-grace',
    value: 'time',
    section: 'Consume',
    description: 'How long an object may be missing behind its message before it is a dead letter.',
    default: '2s',
  },
  {
    env: 'VISIONSCALE_GIVE_UP_AFTER',
    flag: '--give-up-after',
    value: 'time',
    section: 'Consume',
    description: 'How long one object may go on failing, while others succeed, before it is a dead letter.',
    default: '15m',
  },
  {
    env: 'VISIONSCALE_IMAGE_MEMORY_BYTES',
    section: 'Consume',
    description: 'Most bytes of encoded images in memory at once.',
    default: '268435456',
  },
  {
    env: 'VISIONSCALE_BUCKETS',
    flag: '--buckets',
    value: 'a,b',
    section: 'Consume',
    description:
      'Buckets besides the store’s whose images S3 events may ask for; they are read with the same S3 settings. Others’ are dead letters.',
    default: 'none',
    example: 'camera-1,camera-2',
  },
  {
    env: 'VISIONSCALE_S3_EVENT_KEYS',
    flag: '--s3-event-keys',
    value: 'form',
    section: 'Consume',
    description:
      'How S3 events write keys: encoded (percent and plus, as AWS and MinIO do), raw, or auto (raw from versitygw, else encoded).',
    default: 'auto',
  },
  {
    env: 'VISIONSCALE_MESSAGE_REQUESTS',
    flag: '--message-requests',
    value: 'n',
    section: 'Consume',
    description:
      'Most images that one message (an S3 event of several records) may ask for; beyond it the whole message is one dead letter.',
    default: '1000',
  },
  {
    env: 'VISIONSCALE_METRICS_PORT',
    flag: '--metrics-port',
    value: 'n',
    section: 'Metrics',
    description:
      'Show Prometheus metrics at /metrics, and /healthz and /readyz, on this port; 0: any free one. One for each process of a host.',
    example: '9464',
  },
  {
    env: 'VISIONSCALE_METRICS_HOST',
    flag: '--metrics-host',
    value: 'address',
    section: 'Metrics',
    description: 'Address on which metrics are shown.',
    default: '127.0.0.1',
  },
  {
    env: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    section: 'Metrics',
    description:
      'Where consumers send traces, by OpenTelemetry, which is installed beside visionscale (@opentelemetry/sdk-node); the rest of its environment holds too.',
    example: 'http://127.0.0.1:4318',
  },
  {
    env: 'VISIONSCALE_HTTP_HOST',
    flag: '--host',
    value: 'address',
    section: 'Serve',
    description:
      'Where `serve` listens. Without tokens it takes images only on a loopback address; elsewhere it is read-only.',
    default: '127.0.0.1',
  },
  {
    env: 'VISIONSCALE_HTTP_PORT',
    flag: '--port',
    value: 'n',
    section: 'Serve',
    description: 'Port of `serve`; 0: any free one.',
    default: '8080',
  },
  {
    env: 'VISIONSCALE_TOKENS',
    section: 'Serve',
    description:
      'Who may use `serve`: name:sha256 pairs, separated by commas or lines, as `serve --new-token NAME` prints them.',
    example: 'belt-1:<64 hex digits>',
    secret: true,
  },
  {
    env: 'VISIONSCALE_CORS',
    flag: '--cors',
    value: 'origin,…',
    section: 'Serve',
    description: 'Origins of web pages that may call `serve`; without it none.',
    example: 'https://dashboard.example',
  },
  {
    env: 'VISIONSCALE_RATE_LIMIT',
    flag: '--rate-limit',
    value: 'n',
    section: 'Serve',
    description:
      'Most requests a second of one token, or of one address where there are no tokens; 0: no limit.',
    default: '0',
  },
  {
    env: 'VISIONSCALE_INGEST',
    flag: '--ingest',
    value: 'way',
    section: 'Serve',
    description:
      'Where posted images go: store (the object store, their keys through the topic) or inline (through the topic themselves).',
    default: 'store',
  },
  {
    env: 'VISIONSCALE_MAX_INLINE',
    flag: '--max-inline',
    value: 'bytes',
    section: 'Serve',
    description: 'Largest image sent inline; larger ones go to the store. Keep it below the broker’s limit.',
    default: '900000',
  },
  {
    env: 'VISIONSCALE_MAX_IN_FLIGHT',
    flag: '--max-in-flight',
    value: 'n',
    section: 'Serve',
    description:
      'Most images between received and acknowledged, at most half of them from one sender; beyond it senders are told to wait (429).',
    default: '64',
  },
  {
    env: 'VISIONSCALE_DRAIN_DELAY',
    flag: '--drain-delay',
    value: 'time',
    section: 'Serve',
    description:
      'How long `serve` goes on answering after SIGTERM while /readyz says 503, so that load balancers notice.',
    default: '0',
  },
  {
    env: 'VISIONSCALE_SERVER',
    flag: '--server',
    value: 'url',
    section: 'Classify',
    description: 'The server that `classify` sends images to.',
    example: 'http://127.0.0.1:8080',
  },
  {
    env: 'VISIONSCALE_TOKEN',
    flag: '--token',
    value: 'token',
    section: 'Classify',
    description: 'The token for that server; better given in VISIONSCALE_TOKEN_FILE than as a flag.',
    secret: true,
  },
] as const satisfies readonly Setting[];

export type SettingName = (typeof settings)[number]['env'];
