/** Where bars are shown, lines go above them: written between, each would overwrite the other. */

/** Each writes lines above the bars that it stands for. */
const shown = new Set<(lines: string) => void>();

/** Until disposed. */
export function barsShown(writeAbove: (lines: string) => void): Disposable {
  shown.add(writeAbove);
  return { [Symbol.dispose]: () => void shown.delete(writeAbove) };
}

/** To stderr. */
export function writeAboveBars(lines: string): void {
  const [writeAbove = (text: string) => void process.stderr.write(text)] = shown;
  writeAbove(lines);
}
