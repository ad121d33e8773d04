/** Labels images, by keys, by clicks and by touch. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Choices, LabelCount, Status } from '../answers.ts';
import { keyedLabels, labelKeys, type Unsure } from '../labelling.ts';
import { failed } from '../parts.tsx';
import { texts } from '../texts.ts';
import { Grid } from './grid.tsx';
import { useKeyboard } from './keyboard.ts';
import { furtherBack } from './search.tsx';
import { Strip } from './strip.tsx';
import { useLabelling } from './use-labelling.ts';

const { label: t } = texts;

interface SortingProps {
  /** What images are asked for, as in an address. */
  query: string;
  choices: Choices | undefined;
  status: Status | undefined;
  mayAct: boolean | undefined;
  /** The server has answered everything that was labelled or undone. */
  onRecorded: () => void;
}

export function Sorting({ query, choices, status, mayAct, onRecorded }: SortingProps) {
  const labelling = useLabelling(query, status?.lastPrediction);
  const { images, error, fault, cursor, done, pending } = labelling;
  const region = useRef<HTMLDivElement>(null);
  const grid = useRef<HTMLUListElement>(null);
  const finder = useRef<HTMLInputElement>(null);
  const keyed = useKeyed(choices?.labels, images);
  const [added, setAdded] = useState<readonly string[]>([]);
  const known = useMemo(
    () => new Set([...(choices?.labels.map(({ label }) => label) ?? []), ...added]),
    [choices, added],
  );
  const isKnown = (label: string) => known.has(label);
  const give = (label: string) => {
    if (!isKnown(label)) setAdded([...added, label]);
    if (keyed !== undefined && keyed.length < labelKeys.length && !keyed.includes(label)) keyed.push(label);
    labelling.apply(() => label, isKnown);
    grid.current?.focus({ preventScroll: true });
  };
  const confirm = () => labelling.apply(({ category }) => category, isKnown);
  useKeyboard(mayAct === true, { labelling, keyed: keyed ?? [], give, confirm, region, grid, finder });
  useEffect(() => {
    grid.current?.children[cursor]?.scrollIntoView({ block: 'nearest' });
  }, [cursor]);
  const recorded = pending === 0 ? done : null;
  const isFirst = useRef(true);
  useEffect(() => {
    if (recorded !== null && !isFirst.current) onRecorded();
    isFirst.current = false;
  }, [recorded]);

  if (images === undefined)
    return error === undefined ? <p class="note">{texts.loading}</p> : <Alert text={failed(error).text} />;
  return (
    <div ref={region}>
      {mayAct === true && (images.length > 0 || labelling.canUndo) && (
        <Strip
          {...{ labelling, keyed, give, confirm, finder }}
          known={[...known]}
          leaveFinder={() => grid.current?.focus()}
        />
      )}
      {mayAct === false && <p class="note act">{texts.readOnlyWhy}</p>}
      {fault !== undefined && (
        <p class="verdict bad" role="alert">
          {t.failed(failed(fault).text)}
        </p>
      )}
      {error !== undefined && <Alert text={failed(error).text} />}
      {images.length === 0 ? (
        <Nothing query={query} status={status} hasModel={choices?.labels.length !== 0} />
      ) : (
        <Grid labelling={labelling} images={images} list={grid} mayAct={mayAct === true} />
      )}
      {mayAct === true && images.length > 0 && (
        <>
          <p class="note help">{t.help}</p>
          <p class="note help touch">{t.helpTouch}</p>
        </>
      )}
    </div>
  );
}

function Alert({ text }: { text: string }) {
  return (
    <p class="note bad" role="alert">
      {text}
    </p>
  );
}

interface NothingProps {
  query: string;
  status: Status | undefined;
  hasModel: boolean;
}

/** Why there is nothing, and what can be done. */
function Nothing({ query, status, hasModel }: NothingProps) {
  if (status?.predictions === 0)
    return (
      <p class="note">
        {t.noResults} {!hasModel && <a href="#/models">{t.noModel}</a>}
      </p>
    );
  const asked = new URLSearchParams(query);
  const isWide = asked.has('since');
  asked.delete('since');
  return (
    <p class="note">
      {asked.size > 0 ? t.noMatch(isWide) : t.none(isWide)}
      {!isWide && (
        <>
          {' '}
          <a href={furtherBack(query)}>{t.furtherBack}</a>
        </>
      )}
    </p>
  );
}

/** Keys stay with their labels while the view is open; new labels are added behind. */
function useKeyed(
  labels: readonly LabelCount[] | undefined,
  images: readonly Unsure[] | undefined,
): string[] | undefined {
  const keyed = useRef<string[] | undefined>(undefined);
  if (labels === undefined || images === undefined) return undefined;
  return (keyed.current ??= keyedLabels(labels, images));
}
