/** Every kind of fault there is. */
import type { Fault } from '../world.ts';
import { fullDatabase, fullStore } from './disks.ts';
import { duplicateBurst } from './messages.ts';
import { cutLink } from './network.ts';
import {
  freezeInTransaction,
  freezeOwner,
  killConsumer,
  killProducer,
  stopConsumer,
  takeLease,
} from './processes.ts';
import { killBroker, killDatabase, killStore, silentStore, slowStore } from './servers.ts';

export const allFaults: readonly Fault[] = [
  killConsumer,
  stopConsumer,
  killProducer,
  freezeOwner,
  takeLease,
  freezeInTransaction,
  killBroker,
  killDatabase,
  killStore,
  slowStore,
  silentStore,
  duplicateBurst,
  cutLink,
  fullDatabase,
  fullStore,
];
