/** Above the images: the classes with their keys, what else can be done, and how much is done. */
import { type Labelling, labelKeys } from '../labelling.ts';
import { texts } from '../texts.ts';
import { Finder } from './finder.tsx';

const { label: t } = texts;

interface StripProps {
  labelling: Labelling;
  /** Labels in the order of their keys; undefined until they are known. */
  keyed: readonly string[] | undefined;
  known: readonly string[];
  give: (label: string) => void;
  confirm: () => void;
  finder: { current: HTMLInputElement | null };
  leaveFinder: () => void;
}

export function Strip({ labelling, keyed, known, give, confirm, finder, leaveFinder }: StripProps) {
  const { images, selected, done, pending } = labelling;
  const isEmpty = images === undefined || images.length === 0;
  return (
    <div class="strip">
      {keyed?.length === 0 ? (
        <p class="note">{t.noLabels}</p>
      ) : (
        <div class="row keys" role="group" aria-label={t.labels}>
          {keyed?.map((label, n) => (
            <button
              key={label}
              type="button"
              onClick={() => give(label)}
              title={label}
              aria-keyshortcuts={labelKeys[n]}
            >
              <kbd>{labelKeys[n]}</kbd> {label}
            </button>
          ))}
        </div>
      )}
      <div class="row">
        <button type="button" class="main" onClick={confirm} disabled={isEmpty}>
          <kbd>↵</kbd> {t.confirm}
        </button>
        <button type="button" onClick={() => labelling.selectAll()} disabled={isEmpty}>
          <kbd>a</kbd> {t.all}
        </button>
        <button type="button" onClick={() => labelling.undo()} disabled={!labelling.canUndo}>
          <kbd>u</kbd> {t.undo}
        </button>
        <Finder labels={known} give={give} input={finder} leave={leaveFinder} />
        <span class="quiet" role="status">
          {t.done(done)}
          {selected.size > 0 && ` · ${t.chosen(selected.size)}`}
          {pending > 0 && ` · ${t.pending(pending)}`}
        </span>
      </div>
    </div>
  );
}
