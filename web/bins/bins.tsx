/** The rules in force, and where results went. */
import type { ComponentChildren } from 'preact';
import type { BinCounts, Bins as Rules, Rights } from '../shared/answers.ts';
import { number, percent, rate } from '../shared/format.ts';
import { usePoll } from '../shared/hooks.ts';
import { Answer, Bar, Notice } from '../shared/parts.tsx';
import { type Column, Table } from '../shared/table.tsx';
import { texts } from '../texts.ts';
import { EditBins } from './edit.tsx';

const { bins: t } = texts;

export function Bins({ rights }: { rights: Rights | undefined }) {
  const rules = usePoll<Rules>('/v1/bins', 5000);
  const counts = usePoll<BinCounts>('/v1/bins/counts', 3000);
  return (
    <>
      <h1>{t.heading}</h1>
      <Answer polled={rules}>
        {(found) =>
          found.rules === null ? (
            <Notice kind="empty" hint={rights?.may.operate === true ? t.noneHint : t.noneHintRead}>
              {t.none}
            </Notice>
          ) : (
            <InForce bins={found} />
          )
        }
      </Answer>
      {(rules.data !== undefined || rules.error === undefined) && (
        <Answer polled={counts}>{(found) => <Counts counts={found} />}</Answer>
      )}
      {rights?.may.operate === true && rules.data !== undefined && (
        <EditBins bins={rules.data} again={rules.again} />
      )}
    </>
  );
}

interface Rule {
  bin: string;
  classes: ComponentChildren;
  confidence?: number;
  margin?: number;
}

function InForce({ bins: { version, source, rules } }: { bins: Rules }) {
  const { bins, manual, unknown } = rules!;
  const least = (value = 0, unit: string) => (value === 0 ? '' : `${value} ${unit}`);
  const rows: Rule[] = [
    ...bins.map((rule) => ({ ...rule, classes: rule.classes.join(', ') })),
    { bin: manual, classes: <span class="quiet">{t.manual}</span> },
    ...(unknown === manual ? [] : [{ bin: unknown, classes: <span class="quiet">{t.unknown}</span> }]),
  ];
  const columns: Column<Rule>[] = [
    { name: t.bin, cell: ({ bin }) => bin },
    { name: t.classes, cell: ({ classes }) => classes },
    { name: t.confidence, cell: ({ confidence }) => least(confidence, '%'), right: true },
    { name: t.margin, cell: ({ margin }) => least(margin, t.points), right: true },
  ];
  return (
    <section>
      <p class="note">{t.inForce(version ?? 0, source ?? '')}</p>
      <Table columns={columns} rows={rows} keyOf={(row) => rows.indexOf(row)} />
    </section>
  );
}

function Counts({ counts: { minutes, bins } }: { counts: BinCounts }) {
  const all = bins.reduce((sum, { results }) => sum + results, 0);
  const share = (results: number) => (100 * results) / all;
  const columns: Column<BinCounts['bins'][number]>[] = [
    { name: t.bin, cell: ({ bin }) => bin ?? <span class="quiet">{t.noBin}</span> },
    { name: t.why, cell: ({ reason }) => reason && (texts.image.reasons[reason] ?? reason) },
    { name: t.results, cell: ({ results }) => number(results), right: true },
    { name: t.aMinute, cell: ({ results }) => rate(results / minutes), right: true },
    {
      name: t.share,
      cell: ({ results }) => (
        <span class="share">
          <Bar share={share(results)} />
          <span class="right">{percent(share(results))}</span>
        </span>
      ),
    },
  ];
  return (
    <section>
      <h2>{t.counts(minutes)}</h2>
      {all === 0 ? (
        <p class="note">{t.noResults}</p>
      ) : (
        <Table columns={columns} rows={bins} keyOf={({ bin, reason }) => `${bin} ${reason}`} />
      )}
    </section>
  );
}
