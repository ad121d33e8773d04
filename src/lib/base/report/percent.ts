/** Shares for people. */

/** `94.2 %`; of a share of 1; `–` where nothing is known. */
export function percent(share: number | null, digits = 1): string {
  return share === null || !Number.isFinite(share) ? '–' : `${(100 * share).toFixed(digits)} %`;
}
