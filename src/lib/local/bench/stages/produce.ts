/** Stage `produce`: keys from the table through the topic, read, sent, acknowledged and marked. */
import { produce } from '../../../pipeline/produce.ts';
import { imageTable } from '../../../systems/database/tables/images.ts';
import { measure } from '../measure.ts';
import type { Stage } from '../stage.ts';

/** Rows of the table; every turn sends them all once more. */
const rows = 5000;

export const produceStage: Stage = async (input) => {
  const { seconds, signal } = input;
  const scratch = await input.scratch();
  const { pool } = scratch.database;
  const topic = await scratch.topic('produce');
  const images = Array.from({ length: rows }, (_, n) => ({
    key: `bench/produce/${String(n).padStart(6, '0')}.jpg`,
    sha256: 'none',
    bytes: 0,
    contentType: 'image/jpeg',
  }));
  const table = imageTable(pool);
  for (let from = 0; from < rows; from += 1000) await table.save(images.slice(from, from + 1000));
  try {
    const measured = await measure(
      async (turn) => {
        const options = { again: turn > 0, partitions: scratch.partitions, signal };
        const { produced } = await produce({ pool, topic, report: () => undefined }, options);
        if (produced !== rows) throw new Error(`${produced} of ${rows} keys were produced`);
      },
      { seconds, signal, warmUp: 1 },
    );
    const figure = {
      ...measured,
      count: measured.count * rows,
      rate: measured.rate * rows,
      ratePerCore: measured.ratePerCore * rows,
      medianMs: measured.medianMs / rows,
      p99Ms: measured.p99Ms / rows,
    };
    return { figures: [{ stage: 'produce', name: `produce, ${topic.kind} topic`, unit: 'keys', ...figure }] };
  } finally {
    // These keys have no image: no later stage may ask for them.
    await pool.query('truncate image_info, produce_rounds');
  }
};
