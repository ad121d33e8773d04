/** Labels what the model was unsure of; and how good the model is by that. */
import { useReducer } from 'preact/hooks';
import type { Choices, Rights, Status } from '../answers.ts';
import { type Place, usePoll } from '../hooks.ts';
import { asked, Search } from '../label/search.tsx';
import { Sorting } from '../label/sorting.tsx';
import { texts } from '../texts.ts';
import { HowGood } from './accuracy.tsx';

interface LabelProps {
  place: Place;
  rights: Rights | undefined;
  status: Status | undefined;
}

export function Label({ place, rights, status }: LabelProps) {
  const query = asked(place.query).toString();
  const choices = usePoll<Choices>('/v1/labels', 60_000).data;
  const [recorded, onRecorded] = useReducer<number, void>((n) => n + 1, 0);
  const mayAct = rights?.may.operate;
  return (
    <>
      <h1>{texts.label.heading}</h1>
      <div class="labels">
        <div>
          <Search key={query} query={place.query} choices={choices} />
          <Sorting key={`${query} of`} {...{ query, choices, status, mayAct, onRecorded }} />
        </div>
        <HowGood recorded={recorded} />
      </div>
    </>
  );
}
