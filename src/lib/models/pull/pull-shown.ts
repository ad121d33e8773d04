/** `pullModel` with its progress on stderr; the first model of a store becomes its active one. */
import { VisionscaleError } from '../../base/errors.ts';
import { Progress } from '../../base/report/progress.ts';
import { formatBytes } from '../../base/report/table.ts';
import type { ModelStore } from '../store/store.ts';
import type { ProxySettings, DownloadEvent } from './download.ts';
import type { HubSettings } from './hub-client.ts';
import { pullModel, type PullOptions, type PullResult } from './pull.ts';

export interface PullContext {
  config: { proxy: ProxySettings; hub: HubSettings };
  interactive: boolean;
  signal: AbortSignal;
  say: (text: string) => void;
}

export interface ShownPull extends PullResult {
  active: boolean;
}

/** Throws what `pullModel` does; `interrupted` when the signal has stopped it. */
export async function pullShown(
  { config, interactive, signal, say }: PullContext,
  store: ModelStore,
  name: string,
  options: Pick<PullOptions, 'from' | 'file' | 'sha256'>,
): Promise<ShownPull> {
  const report = reporter(interactive, say);
  let pulled: PullResult;
  try {
    const { proxy, hub } = config;
    pulled = await pullModel(store, name, { ...options, proxy, hub, signal, report: report.event });
  } catch (cause) {
    if (!signal.aborted) throw cause;
    throw new VisionscaleError('interrupted', {
      code: 'interrupted',
      hint: 'Nothing was installed. Downloads resume: run the same command again.',
      cause,
    });
  } finally {
    report.end();
  }
  const active = await store.active().catch(() => undefined);
  if (active === undefined) await store.use(pulled.entry);
  return { ...pulled, active: active === undefined || active.path === pulled.entry.path };
}

function reporter(interactive: boolean, say: (text: string) => void) {
  let progress: Progress | undefined;
  let [received, shown] = [0, 0];
  const end = () => {
    progress?.[Symbol.dispose]();
    progress = undefined;
  };
  /** The bar counts kilobytes. */
  const advance = (bytes: number) => {
    received += bytes;
    const kilobytes = Math.floor(received / 1000);
    progress?.advance(kilobytes - shown, bytes);
    shown = kilobytes;
  };
  const event = (happened: DownloadEvent) => {
    switch (happened.kind) {
      case 'started': {
        end();
        const { from, total } = happened;
        if (from > 0) say(`resuming after ${formatBytes(from)}`);
        progress = new Progress({ label: 'downloading', unit: 'kB', interactive, line: say });
        if (total !== undefined) progress.expect(Math.floor(total / 1000));
        [received, shown] = [0, 0];
        advance(from);
        break;
      }
      case 'received':
        advance(happened.bytes);
        break;
      case 'retrying':
        end();
        say(`${happened.reason}; trying again in ${(happened.delayMs / 1000).toFixed(1)} s`);
        break;
    }
  };
  return { event, end };
}
