/** Checks of Node and of the optional native packages: there or not, and the lines that bring them. */
import { createRequire } from 'node:module';
import { VisionscaleError } from '../../base/errors.ts';
import { prepareTensorFlow } from '../../base/sandbox/native-environment.ts';
import { tensorFlowInstall } from '../../models/classifier/engines/tensorflow.ts';
import { codecHint, codecsOf, type Rdkafka, rdkafkaInstall } from '../../systems/topic/kafka/load.ts';
import type { Check } from './doctor.ts';

const require = createRequire(import.meta.url);

type Found = Awaited<ReturnType<Check['run']>>;

const [leastMajor, leastMinor] = [20, 20];

export function nodeCheck(version = process.versions.node): Check {
  return {
    name: 'node',
    needed: true,
    run: async () => {
      const [major = 0, minor = 0] = version.split('.').map(Number);
      if (major < leastMajor || (major === leastMajor && minor < leastMinor)) {
        throw new VisionscaleError(`Node ${version} is too old`, {
          code: 'node_too_old',
          hint: `Install Node ${leastMajor}.${leastMinor} or newer.`,
        });
      }
      return Promise.resolve(version);
    },
  };
}

export interface OptionalPackage {
  name: string;
  /** What it is for. */
  purpose: string;
  /** What happens without it. */
  without: string;
  /** The lines that bring it. */
  install: string;
  /** To be called before it is loaded. */
  prepare?: () => void;
  /** What is to be said of the one that is there. */
  look?: (loaded: unknown) => Found;
}

export const rdkafkaPackage: OptionalPackage = {
  name: 'node-rdkafka',
  purpose: 'Kafka',
  without: 'Kafka cannot be used',
  install: rdkafkaInstall(),
  look: (loaded) => rdkafkaFound(loaded as typeof Rdkafka),
};

/** A topic of another system's may hold what a build lacks. */
export function rdkafkaFound({
  features,
  librdkafkaVersion,
}: Pick<typeof Rdkafka, 'features' | 'librdkafkaVersion'>): Found {
  const { there, missing } = codecsOf(features);
  const what = `librdkafka ${librdkafkaVersion}, codecs ${there.join(', ')}`;
  if (missing.length === 0) return what;
  return {
    warning: `${what}: messages compressed with ${missing.join(' or ')} cannot be read`,
    hint: codecHint,
  };
}

export const onnxPackage: OptionalPackage = {
  name: 'onnxruntime-node',
  purpose: 'the fast inference engine',
  without: 'images are classified by WebAssembly, several times slower',
  install: 'ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node',
};

export const tfjsPackage: OptionalPackage = {
  name: '@tensorflow/tfjs-node',
  purpose: 'the engine tfjs; train --mode scratch',
  without: 'SqueezeNet cannot run on TensorFlow (--engine tfjs), or train from scratch (--mode scratch)',
  install: `${tensorFlowInstall()}    # downloads libtensorflow from storage.googleapis.com`,
  prepare: prepareTensorFlow,
};

/** Loads the package, so that one built for another Node counts as absent. */
export function packageCheck(wanted: OptionalPackage, needed: boolean): Check {
  return {
    name: wanted.name,
    needed,
    optional: true,
    run: async () => {
      try {
        wanted.prepare?.();
        const loaded: unknown = require(wanted.name);
        const { version } = require(`${wanted.name}/package.json`) as { version: string };
        const about = `${version} (${wanted.purpose})`;
        const found = wanted.look?.(loaded);
        if (found === undefined) return await Promise.resolve(about);
        return typeof found === 'string'
          ? `${about}, ${found}`
          : { ...found, warning: `${about}, ${found.warning}` };
      } catch (error) {
        throw new VisionscaleError(`not installed, or not for this Node: ${wanted.without}`, {
          code: 'package_missing',
          hint: wanted.install,
          cause: error,
        });
      }
    },
  };
}
