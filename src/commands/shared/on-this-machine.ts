/** What `demo` and `up` share, which run everything on this machine. */
import { quoted } from '../../lib/base/printable.ts';
import { partsModelDirectory } from '../../lib/models/store/entry.ts';
import { stopped } from '../../lib/systems/database/embedded/keeper/enter.ts';
import type { Context } from './run.ts';

/** Longest wait for the embedded server to end after its last user; another terminal may be using it still. */
const serverEndMs = 5000;

/** Whoever looks after the command has ended finds no process of it. */
export async function embeddedServerEnded({ config }: Context): Promise<void> {
  if (config.database.kind === 'embedded') await stopped(config.dataDir, serverEndMs);
}

/** The same, with the model that comes with visionscale: for the command itself and for the processes that it starts. */
export function withBundledModel(context: Context): Context {
  return {
    ...context,
    config: { ...context.config, model: partsModelDirectory },
    env: { ...context.env, VISIONSCALE_MODEL: partsModelDirectory },
  };
}

/** What is put behind another command to find the same data directory; empty where it is the default. */
export function dataDirFlag({ config, env }: Context): string {
  return env['VISIONSCALE_DATA_DIR'] ? ` --data-dir ${quoted(config.dataDir)}` : '';
}

/** The same for the model that the settings name. */
export function modelFlag({ env }: Context): string {
  const { VISIONSCALE_MODEL: model } = env;
  return model ? ` --model ${quoted(model)}` : '';
}

/** Where `serve` of these settings listens, as this machine reaches it. */
export function serverAddress({ config: { http } }: Context, port: number = http.port): string {
  const { host } = http;
  const reachable =
    host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host;
  return `${http.tls ? 'https' : 'http'}://${reachable}:${port}`;
}
