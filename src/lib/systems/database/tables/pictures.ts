/** Pictures that models can be compared on: those that people have corrected, then the latest. */
import type { Pool } from 'pg';

export interface KnownPicture {
  imageKey: string;
  /** What it really is; null where nobody has said. */
  label: string | null;
  /** The content that was looked at for that: 64 hex digits; null where it is not known. */
  sha256: string | null;
}

/**
 * Those that were corrected last come first, then those of the latest results, each once. Whether the store still has them is
 * not known. What was replaced after it was corrected has no label.
 */
export async function latestPictures(
  pool: Pool,
  { pipeline, belt, limit }: { pipeline: string; belt: string | null; limit: number },
): Promise<KnownPicture[]> {
  const { rows } = await pool.query<KnownPicture>(
    `with corrected as (
       select c.image_key, c.label, c.sha256, c.corrected_at as at
       from corrections c left join image_info i using (image_key)
       where c.pipeline = $1 and (c.sha256 is null or i.sha256 is null or c.sha256 = i.sha256)
         and (($2::text is null and i.image_key is not null)
           or exists (select from prediction_results p where p.pipeline = $1 and p.image_key = c.image_key
             and p.bucket is null and ($2::text is null or p.belt = $2)))
       order by c.corrected_at desc, c.image_key limit $3),
     latest as (
       select image_key, max(time) as at from (
         select image_key, time from prediction_results
         where pipeline = $1 and bucket is null and ($2::text is null or belt = $2)
         order by time desc limit $3 + (select count(*) from corrected)) results
       where image_key not in (select image_key from corrected) group by image_key)
     select image_key as "imageKey", label, sha256 from (
       select 1 as turn, image_key, label, sha256, at from corrected
       union all select 2, image_key, null, null, at from latest) pictures
     order by turn, at desc, image_key limit $3`,
    [pipeline, belt, limit],
  );
  return rows;
}
