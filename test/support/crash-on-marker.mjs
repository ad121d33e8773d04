// Preloaded into a consumer and its worker threads: decoding an image that holds the marker kills the process, as a fault
// in native code would.
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
      if (Buffer.from(options.input?.buffer ?? []).includes('KILLS-THE-PROCESS')) {
        process.kill(process.pid, 'SIGSEGV');
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      }
      return native.pipeline(options, done);
    },
  };
};
