/** The servers of a run, which the faults may kill: embedded, or real ones that the run starts for itself. */
import type { Hosts } from './namespaces.ts';
import type { Throttle } from './proxy.ts';

export interface Stack extends AsyncDisposable {
  readonly kind: 'embedded' | 'real';
  /** Settings for every process of the binary. */
  readonly env: Record<string, string>;
  /** Kills PostgreSQL with SIGKILL. */
  killDatabase(): Promise<void>;
  /** Resolves when it answers again. */
  restartDatabase(): Promise<void>;
  /** Takes the object store away. */
  killStore(): Promise<void>;
  restartStore(): Promise<void>;
  /** How many brokers may be killed one at a time; 0 where there are none. */
  readonly brokers: number;
  killBroker(broker: number): Promise<void>;
  restartBroker(broker: number): Promise<void>;
  /** In front of the store, where it is reached by network. */
  readonly throttle: Throttle | null;
  /** Hosts of their own for the consumers, where root allows. */
  readonly hosts: Hosts | null;
  /** File systems of a small size that can be filled to the last byte, where root allows. */
  readonly disks: { database: string; store: string } | null;
  /** Makes `init` find what it needs: once the servers answer, before anything else. */
  prepare(): Promise<void>;
}
