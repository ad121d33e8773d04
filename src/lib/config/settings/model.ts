/** Settings of models, of the engine that runs them, and of the images that they take. */
import { durationText } from '../../base/duration.ts';
import { devices, engineNames } from '../../models/classifier/classifier.ts';
import { defaultLimits, defaultMaxWorkMs } from '../../models/images/limits.ts';
import type { Setting } from './setting.ts';

export const modelRows = [
  {
    env: 'VISIONSCALE_MODEL',
    flag: '--model',
    value: 'model',
    section: 'Model',
    description:
      'Model to use: a name, name@version or digest of the store, an ONNX file with labels.txt beside it, or a model directory',
    schema: (kinds) => kinds.text,
    otherwise: 'the active model of the store',
    example: '/srv/models/squeezenet1_1.onnx',
  },
  {
    env: 'VISIONSCALE_MODELS',
    flag: '--models',
    common: true,
    value: 'dir',
    section: 'Model',
    description: 'Directory of the model store',
    schema: (kinds) => kinds.text,
    otherwise: '$XDG_DATA_HOME/visionscale/models, else ~/.local/share/visionscale/models',
  },
  // The hub's and the proxies are other programs' too: they are checked only when something is downloaded.
  {
    env: 'HF_ENDPOINT',
    section: 'Model',
    description: 'Hugging Face hub, or a mirror of it, for `model pull`',
    schema: (kinds) => kinds.text,
    default: 'https://huggingface.co',
  },
  {
    env: 'HF_TOKEN',
    section: 'Model',
    description: 'Access token for models of the hub that are private or gated',
    schema: (kinds) => kinds.text,
    secret: true,
  },
  {
    env: 'HTTP_PROXY',
    section: 'Model',
    description: 'Proxy for http:// downloads of `model pull`',
    schema: (kinds) => kinds.text,
    example: 'http://proxy.example:3128',
    secret: true,
  },
  {
    env: 'HTTPS_PROXY',
    section: 'Model',
    description: 'Proxy for https:// downloads of `model pull`',
    schema: (kinds) => kinds.text,
    example: 'http://proxy.example:3128',
    secret: true,
  },
  {
    env: 'NO_PROXY',
    section: 'Model',
    description: 'Hosts that are reached without the proxy',
    schema: (kinds) => kinds.text,
    example: 'localhost,.example.com',
  },
  {
    env: 'VISIONSCALE_ENGINE',
    flag: '--engine',
    common: true,
    value: 'name',
    choices: ['auto', ...engineNames],
    section: 'Model',
    description:
      'Engine: onnx (native), tfjs (TensorFlow; SqueezeNet only), wasm (anywhere) or auto (the first that works)',
    schema: (kinds) => kinds.engine,
    default: 'auto',
  },
  {
    env: 'VISIONSCALE_DEVICE',
    flag: '--device',
    common: true,
    value: 'name',
    choices: devices,
    section: 'Model',
    description:
      'Device of the engine onnx: cpu, cuda, tensorrt, coreml, dml or webgpu. There is no fallback to another',
    schema: (kinds) => kinds.device,
    default: 'cpu',
  },
  {
    env: 'VISIONSCALE_WORKERS',
    flag: '--workers',
    common: true,
    value: 'n',
    section: 'Model',
    description: 'Number of processes that decode and classify, one image at a time each',
    schema: (kinds) => kinds.wholeNumber(1, 256),
    otherwise: 'the cores available',
  },
  {
    env: 'VISIONSCALE_AUTO_ORIENT',
    flag: '--no-auto-orient',
    common: true,
    flagDescription: 'Do not rotate images by EXIF orientation',
    section: 'Model',
    description: 'Rotate images by EXIF orientation (true or false)',
    schema: (kinds) => kinds.trueOrFalse,
    default: 'true',
  },
  {
    env: 'VISIONSCALE_PREPROCESS',
    flag: '--preprocess',
    common: true,
    value: 'mode',
    choices: ['exact', 'fast'],
    section: 'Model',
    description:
      'Preprocessing: exact (each pixel as in the reference) or fast (quicker; same label for 199 of 200 photos)',
    schema: (kinds) => kinds.oneOf(['exact', 'fast']),
    default: 'exact',
  },
  {
    env: 'VISIONSCALE_MAX_IMAGE_BYTES',
    section: 'Model',
    description: 'Largest image that is accepted, in bytes',
    schema: (kinds) => kinds.wholeNumber(1, 1024 ** 3),
    default: String(defaultLimits.maxBytes),
  },
  {
    env: 'VISIONSCALE_MAX_IMAGE_PIXELS',
    section: 'Model',
    description: 'Largest image that is accepted, in pixels',
    schema: (kinds) => kinds.wholeNumber(1, 1_000_000_000),
    default: String(defaultLimits.maxPixels),
  },
  {
    env: 'VISIONSCALE_IMAGE_TIMEOUT',
    flag: '--image-timeout',
    common: true,
    value: 'time',
    section: 'Model',
    description:
      'Most processor time for decoding and classifying one image. An image that takes more is rejected as too_slow',
    schema: (kinds) => kinds.durationAbove0,
    default: durationText(defaultMaxWorkMs),
  },
] as const satisfies readonly Setting[];
