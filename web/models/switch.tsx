/** Switches a model, or goes back: asks first, and shows what changes. */
import { useState } from 'preact/hooks';
import type { Model, ModelChange, ModelSide } from '../shared/answers.ts';
import { ApiError, post } from '../shared/api.ts';
import { Confirm, failed, Faults, type Said, Told } from '../shared/parts.tsx';
import { texts } from '../texts.ts';
import { accuracy, ModelList, nameOf } from './list.tsx';

const { models: t } = texts;

/** What is to be asked of the server, and what it says that it would change. */
interface Asked {
  path: string;
  body: { digest?: string | null; belt?: string };
  change: ModelChange;
}

interface SwitchProps {
  models: Model[];
  belts: string[];
  /** After a switch. */
  again: () => void;
}

/** For those who may. */
export function Switch({ models, belts, again }: SwitchProps) {
  const [belt, setBelt] = useState<string>();
  const [asked, setAsked] = useState<Asked>();
  const [told, setTold] = useState<Said>();

  /** Without a confirmation the server only says what it would do. */
  const ask = async (path: string, more: { digest?: string | null }) => {
    const body = { ...more, ...(belt !== undefined && { belt }) };
    setTold(undefined);
    try {
      await post(path, body);
    } catch (error) {
      const change = error instanceof ApiError && (error.body as { change?: ModelChange })?.change;
      if (change) setAsked({ path, body, change });
      else setTold(failed(error));
    }
  };
  const act = async ({ path, body, change }: Asked) => {
    setAsked(undefined);
    try {
      await post(path, { ...body, confirm: true, force: change.force.length > 0 });
      setTold({ text: t.done(whoseOf(change.belt), nameOf(change.after)), bad: false });
    } catch (error) {
      setTold(failed(error));
    }
    again();
  };
  return (
    <>
      <Told told={told} />
      <div class="row act">
        <label class="inline">
          {t.target}
          <select
            value={belt ?? ''}
            onChange={({ currentTarget: { value } }) => setBelt(value === '' ? undefined : value)}
          >
            <option value="">{t.whole}</option>
            {belts.map((one) => (
              <option key={one} value={one}>
                {t.whichBelt(one)}
              </option>
            ))}
          </select>
        </label>
        {belt !== undefined && (
          <button type="button" onClick={() => void ask('/v1/models/use', { digest: null })}>
            {t.asPipeline}
          </button>
        )}
        <button type="button" onClick={() => void ask('/v1/models/rollback', {})}>
          {t.rollback}
        </button>
      </div>
      <ModelList
        models={models}
        use={{ belt: belt ?? null, ask: (digest) => void ask('/v1/models/use', { digest }) }}
      />
      {asked !== undefined && (
        <Confirm
          question={t.sure(whoseOf(asked.change.belt), nameOf(asked.change.after))}
          action={asked.change.force.length > 0 ? t.anyway : t.switch}
          danger={asked.change.force.length > 0}
          cancel={() => setAsked(undefined)}
          onYes={() => void act(asked)}
        >
          <Change change={asked.change} />
        </Confirm>
      )}
    </>
  );
}

export function whoseOf(belt: string | null): string {
  return belt === null ? t.whole : t.whichBelt(belt);
}

function Change({ change: { before, after, labels, force } }: { change: ModelChange }) {
  if (before !== null && before.digest === after.digest) return <p class="note">{t.same}</p>;
  const top1 = (side: ModelSide | null) => accuracy(side?.top1);
  const some = (all: string[]) => all.slice(0, 8).join(', ') + (all.length > 8 ? ', …' : '');
  const { removed, added } = labels;
  return (
    <>
      <ul class="change">
        <li>{before === null ? nameOf(after) : t.change(nameOf(before), nameOf(after))}</li>
        <li>{before === null ? `${t.accuracy}: ${top1(after)}` : t.accuracies(top1(before), top1(after))}</li>
        {removed.count + added.count === 0 && <li>{t.sameLabels(after.labels)}</li>}
        {removed.count > 0 && <li>{t.removed(removed.count, some(removed.some))}</li>}
        {added.count > 0 && <li>{t.added(added.count, some(added.some))}</li>}
      </ul>
      <Faults title={t.force} faults={force} />
    </>
  );
}
