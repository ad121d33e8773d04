/** The report: what it says of numbers, that nothing from outside becomes HTML, and that it stays small. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { escapeHtml, html } from '../../../src/lib/base/report/html.ts';
import type { Judgement } from '../../../src/lib/learning/evaluate/judge.ts';
import { metricsOf } from '../../../src/lib/learning/evaluate/metrics.ts';
import { niceCeiling } from '../../../src/lib/learning/evaluate/report/charts.ts';
import { countWarnings } from '../../../src/lib/learning/evaluate/report/counts.ts';
import type { ReportInput } from '../../../src/lib/learning/evaluate/report/input.ts';
import { verdict } from '../../../src/lib/learning/evaluate/report/verdict.ts';
import { writeReport } from '../../../src/lib/learning/evaluate/report.ts';

const hostile = `"><script>alert(1)</script><img src=x onerror='alert(2)'>&amp;`;

/** `right[i]` of `counts[i]` images of each class are right; the others are taken for the next class. */
function judged(
  labels: string[],
  counts: number[],
  right: number[],
  score = 0.8,
  dir = '/images',
): Judgement {
  const answers = labels.flatMap((label, truth) =>
    Array.from({ length: counts[truth]! }, (_, n) => ({
      path: `${dir}/${label}/${n}.png`,
      truth,
      top: [{ label: n < right[truth]! ? truth : (truth + 1) % labels.length, score }],
    })),
  );
  const model = { name: 'parts', version: '1', digest: `sha256:${'0'.repeat(64)}` };
  return { model, labels, metrics: metricsOf(labels, answers), answers, unreadable: [], inferMs: 5 };
}

const inputOf = (judgement: Judgement, more: Partial<ReportInput> = {}): ReportInput => ({
  judgement,
  model: judgement.model,
  ...more,
});

describe('the verdict', () => {
  it('says yes only where the lower end of the interval is good', () => {
    const good = verdict(inputOf(judged(['a', 'b'], [500, 500], [495, 498])));
    expect(good.grade).toBe('yes');
    expect(good.answer).toContain('99.3 % of 1000 images');
    // 59 of 60 is 98 %, but may be 91 %.
    expect(verdict(inputOf(judged(['a', 'b'], [30, 30], [30, 29]))).grade).toBe('nearly');
    expect(verdict(inputOf(judged(['a', 'b'], [10, 10], [10, 10]))).grade).toBe('unknown');
    expect(verdict(inputOf(judged(['a', 'b'], [100, 100], [60, 70]))).grade).toBe('no');
    expect(verdict(inputOf(judged(['a', 'b'], [0, 0], [0, 0]))).grade).toBe('unknown');
  });

  it('sees through a model that always answers the largest class', () => {
    const lazy = verdict(inputOf(judged(['a', 'b'], [950, 50], [950, 0])));
    expect(lazy.grade).toBe('no');
    expect(lazy.answer).toContain('always answering');
  });

  it('names the weak class, what it is taken for, and the small one to photograph', () => {
    const judgement = judged(['gear', 'nut', 'bolt'], [400, 40, 400], [400, 10, 398]);
    const counts = [
      { label: 'gear', train: 200, held: 400 },
      { label: 'nut', train: 12, held: 40 },
      { label: 'bolt', train: 190, held: 400 },
    ];
    const { because, next } = verdict(inputOf(judgement, { counts }));
    expect(because.join('\n')).toContain('nut (25 %)');
    expect(next).toContain(
      'Photograph more of nut: 25 % are recognised, above all ones that look like bolt (30 of 40 are mistaken for it); ' +
        '12 images to train on, 55 more would make 67.',
    );
    expect(countWarnings(inputOf(judgement, { counts }))).toEqual([
      'The classes are unbalanced, more than 3:1: gear has 200 images to train on, nut has 12.',
      'Fewer than 20 images to train on: nut (12).',
    ]);
  });

  it('asks to look at the labels where the model was sure, and takes copies out of the accuracy', () => {
    const judgement = judged(['a', 'b'], [50, 50], [40, 50], 0.97);
    const duplicates = judgement.answers
      .filter(({ truth }) => truth === 1)
      .map(({ path }) => ({ train: 't.png', held: path, sameLabel: true }));
    const { because, next } = verdict(inputOf(judgement, { duplicates }));
    expect(next[0]).toContain('10 were made with more than 90 % confidence');
    expect(because.join('\n')).toContain('50 of the test images');
    expect(because.join('\n')).toContain('without them the accuracy is 80.0 %');
  });

  const holdOut = {
    groups: { count: 40, largest: 9 },
    isGiven: false,
    isNamed: false,
    mixed: false,
    duplicatesLeftOut: false,
    oneGroup: [],
  };

  it('tells no interval where pictures belong together, and grades by the number of groups', () => {
    const judgement = judged(['a', 'b'], [500, 500], [495, 498]);
    const { grade, because } = verdict(inputOf(judgement, { holdOut }));
    // 99 % of 40 may be 87 %; of 1000 it may be 98.5 %.
    expect(grade).toBe('nearly');
    expect(because.join('\n')).toContain('40 groups of similar pictures (1000 images)');
    expect(because.join('\n')).not.toMatch(/95 %|between/);
    const single = { ...holdOut, groups: { count: 1000, largest: 1 } };
    const alone = verdict(inputOf(judgement, { holdOut: single }));
    expect([alone.grade, alone.because.join('\n').includes('95 % confidence')]).toEqual(['yes', true]);
  });

  it('says why the same would look better with similar pictures on both sides, and what to photograph', () => {
    const judgement = judged(['a', 'b'], [100, 100], [70, 70]);
    const flattered = verdict(inputOf(judgement, { holdOut: { ...holdOut, ungroupedTop1: 0.96 } }));
    expect(flattered.because.join('\n')).toMatch(
      /on both sides it would be 96\.0 %, which is too optimistic/,
    );
    expect(flattered.next[0]).toMatch(/more objects of each class, on more occasions/);
    const alike = verdict(inputOf(judgement, { holdOut: { ...holdOut, ungroupedTop1: 0.74 } }));
    expect(alike.because.join('\n')).not.toContain('optimistic');
    const given = { ...holdOut, isGiven: true, ungroupedTop1: 0.96, crossValidatedTop1: 0.55 };
    expect(verdict(inputOf(judgement, { holdOut: given })).because.join('\n')).toMatch(
      /similar pictures kept together, 55\.0 % are correct\. If the hold-out/,
    );
  });

  it('names classes that are one group, and says what nothing can be told of', () => {
    const judgement = judged(['a', 'b'], [100, 100], [70, 70]);
    const { because, next } = verdict(inputOf(judgement, { holdOut: { ...holdOut, oneGroup: ['c'] } }));
    expect(because.join('\n')).toContain('Not evaluated, because all their pictures are one group: c.');
    expect(next[0]).toContain('Photograph other objects of c');
    const mixed = verdict(inputOf(judgement, { holdOut: { ...holdOut, mixed: true, oneGroup: ['a', 'b'] } }));
    expect(mixed.grade).toBe('unknown');
    expect(mixed.because[0]).toContain('says nothing about other pictures');
    expect(mixed.because.join('\n')).not.toContain('Not evaluated');
  });

  it('does not grade what so few pictures of a class cannot tell', () => {
    const judgement = judged(['a', 'b'], [30, 30], [30, 30]);
    const counts = (train: number) => ['a', 'b'].map((label) => ({ label, train, held: 2 }));
    const few = verdict(inputOf(judgement, { holdOut, counts: counts(3) }));
    expect([few.grade, few.answer]).toEqual(['unknown', expect.stringContaining('5 images per class')]);
    expect(verdict(inputOf(judgement, { holdOut, counts: counts(40) })).grade).toBe('nearly');
    const named = { ...holdOut, isNamed: true };
    expect(verdict(inputOf(judgement, { holdOut: named, counts: counts(3) })).grade).toBe('nearly');
  });

  it('counts out copies that were left out', () => {
    const judgement = judged(['a', 'b'], [50, 50], [40, 50]);
    const duplicates = [{ train: 't.png', held: 'h.png', sameLabel: true }];
    const left = { ...holdOut, isGiven: true, duplicatesLeftOut: true };
    expect(verdict(inputOf(judgement, { duplicates, holdOut: left })).because.join('\n')).toContain(
      'Left out: 1 image of the hold-out with a (near-)duplicate in the training set.',
    );
  });

  it('has no warning where classes are even and large', () => {
    expect(countWarnings(inputOf(judged(['a', 'b'], [60, 20], [60, 20])))).toEqual([]);
  });
});

describe('html', () => {
  it('escapes everything that was not made by it', () => {
    expect(html`<p title="${hostile}">${['a<b', html`<i>${1}</i>`]}${false}${undefined}</p>`.text).toBe(
      `<p title="${escapeHtml(hostile)}">a&#60;b<i>1</i></p>`,
    );
    expect(escapeHtml(hostile)).not.toMatch(/[<>"']/);
    expect(escapeHtml('a\u0000\u001b[31m\ud800')).toBe('a··[31m\ufffd');
  });

  it('ends an axis at a round number', () => {
    expect([0, 0.03, 1, 1.1, 4, 7, NaN].map(niceCeiling)).toEqual([1, 0.05, 1, 2, 5, 10, 1]);
  });
});

describe('writeReport', () => {
  let dir: string;
  beforeAll(() => (dir = mkdtempSync(join(tmpdir(), 'visionscale report '))));
  afterAll(() => rmSync(dir, { recursive: true }));
  const page = () => readFileSync(join(dir, 'report.html'), 'utf8');

  it('lets no label, path, model name or reason become markup', async () => {
    const judgement = judged([hostile, `${hostile}2`], [60, 40], [30, 30]);
    judgement.model.name = hostile;
    await writeReport(
      dir,
      inputOf(judgement, {
        parent: judgement.model,
        dataDigest: hostile,
        duplicates: [{ train: hostile, held: judgement.answers[0]!.path, sameLabel: false }],
        unreadable: [{ path: hostile, reason: hostile }],
        counts: [{ label: hostile, train: 3, held: 60 }],
        history: [{ epoch: 1, trainLoss: 1, trainTop1: 0.5, heldLoss: NaN, heldTop1: 0.4 }],
      }),
    );
    expect(page()).not.toMatch(/<script|<img src=x/i);
    expect(page()).toContain(escapeHtml(hostile));
    // Whatever was put in is text or a quoted value: outside of these no tag has a handler.
    const tags = page()
      .replaceAll(/"[^"]*"/g, '""')
      .match(/<[a-z][^>]*>/gi)!;
    expect(tags.filter((tag) => /\son\w+\s*=/i.test(tag))).toEqual([]);
    expect(page()).toContain('content="default-src &#39;none&#39;;');
  });

  it('shows thumbnails of the worst mistakes, within bounds, and needs nothing from elsewhere', async () => {
    const noise = await sharp({
      create: {
        width: 640,
        height: 480,
        channels: 3,
        background: 'gray',
        noise: { type: 'gaussian', sigma: 90 },
      },
    })
      .jpeg({ quality: 95 })
      .toBuffer();
    const judgement = judged(['a', 'b'], [100, 100], [0, 100], 0.9, dir);
    for (const answer of judgement.answers) {
      answer.path = join(dir, `${createHash('md5').update(answer.path).digest('hex')}.jpg`);
      writeFileSync(answer.path, noise);
    }
    rmSync(judgement.answers[0]!.path);
    const files = await writeReport(dir, inputOf(judgement));
    const pictures = page().match(/src="data:image\/jpeg;base64,/g) ?? [];
    // The 36 surest, one of them gone meanwhile.
    expect(pictures).toHaveLength(35);
    expect(page().length).toBeLessThan(2.5 * 2 ** 20);
    expect(page()).not.toMatch(/(src|href)="(?!data:)/);
    expect(page()).toMatch(/prefers-color-scheme:dark[^]*@media print/);
    expect(
      readdirSync(dir)
        .filter((name) => /^(report|metrics)/.test(name))
        .sort(),
    ).toEqual(['metrics.json', 'report.html']);
    const metrics = JSON.parse(readFileSync(files.metrics, 'utf8')) as Record<string, unknown>;
    expect(metrics).toMatchObject({
      top1: 0.5,
      count: 200,
      labels: ['a', 'b'],
      confusion: [
        [0, 100],
        [0, 100],
      ],
      confusedPairs: [{ truth: 'a', answer: 'b', images: 100, share: 1 }],
      model: { name: 'parts' },
    });
  });

  it('stays readable with more classes than a matrix can show', async () => {
    const labels = Array.from({ length: 140 }, (_, n) => `class ${n}`);
    await writeReport(
      dir,
      inputOf(
        judged(
          labels,
          labels.map(() => 10),
          labels.map((_, n) => n % 10),
        ),
      ),
    );
    expect(page()).toContain('Confusion matrix of 100 classes');
    expect(page()).toContain('40 more are in metrics.json');
    expect(page().length).toBeLessThan(1e6);
  });
});
