/** Every setting there is: its environment variable, flag, default and meaning. `.env.example` and the README come from here. */

export interface Setting {
  env: string;
  /** The long flag that overrides it, where there is one. */
  flag?: string;
  /** Placeholder of the flag's value in `--help`. */
  value?: string;
  section: 'General' | 'PostgreSQL' | 'Topic' | 'Object store' | 'Model' | 'Upload' | 'Train' | 'Consume';
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
    description: 'disable, require (encrypted, certificate not checked), verify-ca or verify-full.',
    default: 'disable',
  },
  {
    env: 'PGSSLROOTCERT',
    section: 'PostgreSQL',
    description: "File with the server's certificate authority.",
    example: '/etc/ssl/db-ca.pem',
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
    description: 'Inference threads.',
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
] as const satisfies readonly Setting[];

export type SettingName = (typeof settings)[number]['env'];
