/** The rules in force, kept ready by their version: the recording transaction asks for the number alone. */
import type { PoolClient } from 'pg';
import { BinTable } from '../../bins/decide.ts';
import { readBinRules } from './bins.ts';

export interface VersionedBins {
  version: number;
  table: BinTable;
}

/** One for a process and pipeline. */
export class ActiveBins {
  readonly #pipeline: string;
  readonly #onChange: (version: number | null) => void;
  #current: VersionedBins | null = null;

  /** `onChange` hears of each other version that is taken up; null: there are none any more. */
  constructor(pipeline: string, onChange: (version: number | null) => void = () => undefined) {
    this.#pipeline = pipeline;
    this.#onChange = onChange;
  }

  /** Reads the rules where this is another version than before; a version never changes. */
  async of(client: PoolClient, version: number | null): Promise<VersionedBins | null> {
    const before = this.#current;
    if (version === (before?.version ?? null)) return before;
    const current =
      version === null
        ? null
        : { version, table: new BinTable(await readBinRules(client, this.#pipeline, version)) };
    // Partitions record side by side: one of them has told it already.
    if (this.#current === before) this.#onChange(version);
    this.#current = current;
    return current;
  }
}
