// Preloaded into a consumer and its worker processes. Decoding an image that holds a marker kills the worker process, as a
// fault in native code would, or the consumer with it, as the system does where an image costs all memory.
import { Buffer } from 'node:buffer';
import process from 'node:process';

const dlopen = process.dlopen;

process.dlopen = function (module, filename, ...rest) {
  dlopen.call(this, module, filename, ...rest);
  if (!/sharp[^/]*\.node$/.test(filename)) return;
  const native = module.exports;
  module.exports = {
    ...native,
    pipeline(options, done) {
      const image = Buffer.from(options.input?.buffer ?? []);
      if (image.includes('KILLS-THE-PROCESS')) process.kill(process.ppid, 'SIGSEGV');
      if (image.includes('KILLS-')) {
        process.kill(process.pid, 'SIGSEGV');
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      }
      return native.pipeline(options, done);
    },
  };
};
