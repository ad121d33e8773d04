/** What native libraries read from the process's own environment, where no call of theirs can say it. */

/**
 * TensorFlow's: to be called in the main thread (a worker's environment is a copy that no library sees) before it is loaded.
 * What the user has set stays. `threads` share an operation; by default it runs in the thread that calls it, for the
 * classifier's worker threads already take every core.
 */
export function prepareTensorFlow(threads = 1): void {
  const { env } = process;
  env['TF_NUM_INTRAOP_THREADS'] ??= String(threads);
  env['TF_NUM_INTEROP_THREADS'] ??= '1';
  env['TF_CPP_MIN_LOG_LEVEL'] ??= '2'; // warnings and what the CPU can do; errors are told
}

/** ONNX Runtime's: it would keep a device id and event files in the home and temporary directories, and report uses. */
export function prepareOnnxRuntime(): void {
  process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
}

/** Names that tell how to reach servers, and as whom: nothing for processes that handle bytes from outside. */
const secret = /^(AWS_|PG|DATABASE_URL|KAFKA_|S3_|HF_|VISIONSCALE_(?!DATA_DIR)|OTEL_)|_PROXY$/i;

/** This process's environment without that. */
export function childEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !secret.test(name)));
}
