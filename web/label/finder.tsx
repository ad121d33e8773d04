/** Finds a label by what is typed, or takes a new one. */
import { useState } from 'preact/hooks';
import { texts } from '../texts.ts';
import { matching } from './labelling.ts';

const { label: t } = texts;

interface FinderProps {
  labels: readonly string[];
  give: (label: string) => void;
  input: { current: HTMLInputElement | null };
  leave: () => void;
}

export function Finder({ labels, give, input, leave }: FinderProps) {
  const [text, setText] = useState('');
  const [marked, mark] = useState(0);
  const found = matching(labels, text, 8);
  const write = (value: string) => {
    setText(value);
    mark(0);
  };
  const choose = (label: string) => {
    write('');
    give(label);
  };
  const key = (event: KeyboardEvent & { currentTarget: HTMLInputElement }) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by !== undefined && found.length > 0) {
      event.preventDefault();
      mark((marked + by + found.length) % found.length);
    } else if (event.key === 'Escape') {
      write('');
      leave();
    } else if (event.key === 'Enter') {
      // What is in the field now: it may not have been drawn yet.
      const match = matching(labels, event.currentTarget.value, 8)[marked];
      if (match !== undefined) choose(match.label);
    }
  };
  return (
    <span class="finder">
      <input
        ref={input}
        value={text}
        placeholder={t.findKey}
        aria-label={t.find}
        autocomplete="off"
        maxLength={500}
        role="combobox"
        aria-expanded={found.length > 0}
        aria-controls="matches"
        aria-activedescendant={found.length > 0 ? `match-${marked}` : undefined}
        onInput={(event) => write(event.currentTarget.value)}
        onKeyDown={key}
      />
      <ul id="matches" class="matches" role="listbox" aria-label={t.labels} hidden={found.length === 0}>
        {found.map(({ label, isNew }, n) => (
          <li
            key={label}
            id={`match-${n}`}
            role="option"
            aria-selected={n === marked}
            onPointerDown={(event) => event.preventDefault()}
            onClick={() => choose(label)}
          >
            {isNew ? t.newClass(label) : label}
          </li>
        ))}
      </ul>
    </span>
  );
}
