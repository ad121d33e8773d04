/** What a comparison found: a sentence, the figures of both models, and the images on which they differ. */
import type { Comparison, ComparisonResult } from '../shared/answers.ts';
import { milliseconds, number, percent } from '../shared/format.ts';
import { Picture } from '../shared/picture.tsx';
import { type Column, Table } from '../shared/table.tsx';
import { texts } from '../texts.ts';
import { nameOf } from './list.tsx';

const { compare: t } = texts.models;

/** Of the two models, in texts and on pictures. */
const letters = ['A', 'B'];

interface ComparedProps {
  comparison: Comparison;
  result: ComparisonResult;
}

type Row = ComparisonResult['models'][number] & { letter: string; name: string };

const share = (value: number | null) => (value === null ? t.unknown : percent(100 * value));

const columns: Column<Row>[] = [
  {
    name: t.model,
    cell: ({ letter, name }) => (
      <span>
        <b class="pill">{letter}</b> {name}
      </span>
    ),
  },
  { name: t.right, cell: ({ top1 }) => share(top1), right: true },
  {
    name: t.certain,
    cell: ({ interval95 }) =>
      interval95 === null ? t.unknown : t.range(share(interval95.low), share(interval95.high)),
    right: true,
  },
  { name: t.onlyRight, cell: ({ onlyRight }) => number(onlyRight), right: true },
  {
    name: t.calledUnknown,
    cell: ({ unknown }) => (unknown === null ? t.tellsNone : share(unknown)),
    right: true,
  },
  { name: t.time, cell: ({ ms }) => milliseconds(ms), right: true },
];

export function Compared({ comparison: { models }, result }: ComparedProps) {
  const { images, agree, labelled, differ, unusable } = result;
  const rows = result.models.map((one, at) => ({ ...one, letter: letters[at]!, name: nameOf(models[at]!) }));
  const { count } = labelled.groups;
  return (
    <>
      <p class={`verdict ${result.verdict?.because === 'better' ? 'ok' : 'open'}`} role="status">
        {conclusion(models, result)}
      </p>
      <Table columns={columns} rows={rows} keyOf={({ letter }) => letter} />
      <p class="note">
        {t.basis(images, labelled.images)} {labelled.images > 0 && t.groups(count)}
      </p>
      {labelled.leftOut.length > 0 && (
        <p class="note">
          {t.leftOut(labelled.leftOut.map((one) => t.ofLabel(one.label, one.images)).join(', '))}
        </p>
      )}
      {unusable.count > 0 && (
        <details>
          <summary>{t.unusable(unusable.count)}</summary>
          <ul class="change">
            {unusable.some.map(({ imageKey, reason }) => (
              <li key={imageKey}>{t.fault(imageKey, reason)}</li>
            ))}
          </ul>
        </details>
      )}
      <h3>{t.differ(images - agree, images, differ.length)}</h3>
      {differ.length > 0 && (
        <ul class="grid">
          {differ.map((one) => (
            <Differing key={one.imageKey} {...one} />
          ))}
        </ul>
      )}
    </>
  );
}

/** As the command concludes, in words for people who look. */
function conclusion(
  models: Comparison['models'],
  { models: found, labelled, verdict }: ComparisonResult,
): string {
  if (verdict === null) return t.noLabels;
  const { digest, because } = verdict;
  if (because === 'too early') return t.tooEarly(labelled.images, labelled.groups.count);
  const taken = models.findIndex((model) => model.digest === digest);
  const other = 1 - taken;
  const name = nameOf(models[taken]!);
  const [mine, theirs] = [share(found[taken]!.top1), share(found[other]!.top1)];
  if (because === 'better') return t.better(name, nameOf(models[other]!), mine, theirs);
  const advice = { faster: t.faster(name), 'right more often': t.moreOften(name), equal: t.equal }[because];
  return `${t.noDifference(labelled.images, share(found[0]!.top1), share(found[1]!.top1))} ${advice}`;
}

function Differing({ imageKey, label, said }: ComparisonResult['differ'][number]) {
  return (
    <li>
      <a href={`#/images?${new URLSearchParams({ key: imageKey })}`} title={imageKey}>
        <Picture imageKey={imageKey} side={192} alt={label ?? ''} />
        <span class="name">{label === null ? t.noLabel : t.isReally(label)}</span>
        {said.map(({ category, confidence, unknown, right }, at) => (
          <span
            key={letters[at]}
            class={`says ${right === null ? '' : right ? 'right-answer' : 'wrong-answer'}`}
          >
            <b>{letters[at]}</b> {category}{' '}
            <span class="figure">
              {percent(confidence)}
              {right !== null && (
                <span role="img" aria-label={right ? t.isRight : t.isWrong}>
                  {right ? ' ✓' : ' ✗'}
                </span>
              )}
            </span>
            {unknown && <span class="pill warn">{texts.images.unknown}</span>}
          </span>
        ))}
      </a>
    </li>
  );
}
