/** How long what may pass is waited for, in milliseconds. */
export interface Endurance {
  /** An object may be missing for so long behind its message. */
  notFoundGraceMs: number;
  /** One object may go on failing for so long while others succeed. */
  giveUpAfterMs: number;
  /** Messages wait, nothing is recorded, no cause is known: the process gives up after this. 0: never. */
  stallTimeoutMs: number;
}

/** What the settings say where nobody says otherwise. */
export const defaultEndurance: Endurance = {
  notFoundGraceMs: 2000,
  giveUpAfterMs: 15 * 60_000,
  stallTimeoutMs: 60_000,
};
export const defaultImageMemoryBytes = 256 * 1024 ** 2;
