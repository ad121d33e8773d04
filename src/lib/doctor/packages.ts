/** Checks of Node and of the optional native packages: there or not, and the lines that bring them. */
import { createRequire } from 'node:module';
import { tensorFlowInstall } from '../classifier/engines/tensorflow.ts';
import { prepareTensorFlow } from '../config/native-environment.ts';
import { VisionscaleError } from '../errors.ts';
import type { Check } from '../doctor.ts';

const require = createRequire(import.meta.url);

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
}

export const rdkafkaPackage: OptionalPackage = {
  name: 'node-rdkafka',
  purpose: 'Kafka',
  without: 'topics in Kafka cannot be used',
  install:
    'npm install node-rdkafka            # builds librdkafka: needs a C++ compiler, make and python3; 150 to 200 s\n' +
    'or with the library of Debian or Ubuntu, in 13 s:\n' +
    'apt-get install librdkafka-dev && BUILD_LIBRDKAFKA=0 npm install node-rdkafka',
};

export const onnxPackage: OptionalPackage = {
  name: 'onnxruntime-node',
  purpose: 'the fast inference engine',
  without: 'images are classified by WebAssembly, several times slower',
  install: 'ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node',
};

export const tfjsPackage: OptionalPackage = {
  name: '@tensorflow/tfjs-node',
  purpose: 'the engine tfjs; train --mode full and scratch',
  without: 'SqueezeNet cannot run on TensorFlow (--engine tfjs), nor be trained whole (--mode full, scratch)',
  install: `${tensorFlowInstall()}    # downloads libtensorflow from storage.googleapis.com`,
  prepare: prepareTensorFlow,
};

/** Loads the package, so that one built for another Node counts as absent. */
export function packageCheck(wanted: OptionalPackage, needed: boolean): Check {
  return {
    name: wanted.name,
    needed,
    run: async () => {
      try {
        wanted.prepare?.();
        require(wanted.name);
        const { version } = require(`${wanted.name}/package.json`) as { version: string };
        return await Promise.resolve(`${version} (${wanted.purpose})`);
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
