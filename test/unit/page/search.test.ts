/** What the page's search makes of an address, and of what is entered. */
import { describe, expect, it } from 'vitest';
import { addressOf, addressWithout, askedByForm, askedOf, localOf, told } from '../../../web/images/query.ts';

const form = (fields: Record<string, string>) => {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.set(name, value);
  return askedByForm(data).toString();
};

describe('a search', () => {
  it('is its filters, without what says nothing', () => {
    const query = new URLSearchParams('bin=%20&category=%20a%20b&limit=5000&cursor=x&unknown=true');
    expect(askedOf(query).toString()).toBe('category=a+b&unknown=true');
  });

  it('in the form has a span until now, or a begin and an end', () => {
    expect(form({ category: 'a', span: '15m', since: '2026-01-01T10:00' })).toBe('category=a&since=15m');
    const since = new Date('2026-01-01T10:00').toISOString();
    expect(form({ span: 'range', since: '2026-01-01T10:00', until: '' })).toBe(
      new URLSearchParams({ since }).toString(),
    );
    expect(form({ span: 'range', since: 'x', until: 'y' })).toBe('');
  });

  it('comes back to its fields as it was entered', () => {
    expect(localOf(new Date('2026-01-01T10:05').toISOString())).toBe('2026-01-01T10:05');
    expect([localOf('15m'), localOf('nonsense'), localOf(null)]).toEqual(['', '', '']);
  });

  it('loses one filter at a time', () => {
    const asked = new URLSearchParams('bin=left&belt=north');
    expect(addressWithout(asked, 'bin')).toBe('#/images?belt=north');
    expect(addressWithout(new URLSearchParams('bin=left'), 'bin')).toBe('#/images');
    expect(addressOf(asked)).toBe('#/images?bin=left&belt=north');
  });

  it('is told in words', () => {
    expect(told('since', '15m')).toBe('last 15 minutes');
    expect(told('since', '90s')).toBe('last 90s');
    expect(told('unknown', 'true')).toBe('Only unknown objects');
    expect(told('bin', 'left')).toBe('Bin: left');
    expect(told('above', '40')).toBe('Confidence from 40 %');
    expect(told('until', '2026-01-01T10:00:00.000Z')).toMatch(/^To: .*2026/);
    expect(told('until', 'soon')).toBe('To: soon');
  });
});
