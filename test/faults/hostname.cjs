// Loaded before the binary: gives the process a host name of its own, so that every row tells which life of which
// consumer wrote it.
const os = require('node:os');
const process = require('node:process');
const { syncBuiltinESMExports } = require('node:module');
const name = process.env.VISIONSCALE_TEST_HOSTNAME;
if (name) {
  os.hostname = () => name;
  syncBuiltinESMExports();
}
