/** Settings of all commands, and of the folders that commands take images from. */
import type { Setting } from './setting.ts';

export const general = [
  {
    env: 'VISIONSCALE_DATA_DIR',
    flag: '--data-dir',
    value: 'dir',
    section: 'General',
    description: 'Directory of everything embedded: PostgreSQL, images, locks',
    schema: (kinds) => kinds.text,
    otherwise: '$XDG_DATA_HOME/visionscale, else ~/.local/share/visionscale',
  },
  {
    env: 'VISIONSCALE_PIPELINE',
    flag: '--pipeline',
    value: 'name',
    section: 'General',
    description: 'Name that positions, owners and predictions belong to; also the Kafka group id',
    schema: (kinds) => kinds.pipelineName,
    default: 'default',
  },
  {
    env: 'VISIONSCALE_LOG_LEVEL',
    flag: '--log-level',
    value: 'level',
    section: 'General',
    description: 'Log level: trace, debug, info, warn, error, fatal or silent. Logs go to stderr',
    schema: (kinds) => kinds.logLevel,
    default: 'info',
  },
] as const satisfies readonly Setting[];

export const folders = [
  {
    env: 'IMG_DIR',
    section: 'Upload',
    description: 'Images that `upload`, `watch`, `classify` and `demo` take when no path is given',
    schema: (kinds) => kinds.text,
    example: './images',
  },
  {
    env: 'TRAINING_DATA_DIR',
    section: 'Train',
    description: 'Directory that `train` takes when none is given',
    schema: (kinds) => kinds.text,
    example: './training',
  },
  {
    env: 'CLASS_NAMES',
    flag: '--classes',
    value: 'a,b,c',
    section: 'Train',
    description: 'Classes to train, in this order: names of folders, separated by commas',
    schema: (kinds) => kinds.classNames,
    otherwise: 'all folders, by name',
    example: 'apple,banana,cherry',
  },
] as const satisfies readonly Setting[];
