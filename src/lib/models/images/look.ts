/** The worker process that looks at images one after the other. */
import type { OpenWork } from '../../base/sandbox/protocol.ts';
import type { Look, LookSetup } from './apart.ts';
import { checkImage } from './check.ts';
import { readHeader } from './header.ts';
import { openPrepare } from './prepare.ts';
import { smallPixels, thumbnail } from './small.ts';

const open: OpenWork<LookSetup, Look, unknown> = ({ limits }) =>
  Promise.resolve(async (look, bytes) => {
    switch (look.kind) {
      case 'check':
        return checkImage(bytes, limits);
      case 'header': {
        const { format, contentType } = await readHeader(bytes, limits);
        return { format, contentType };
      }
      case 'small pixels':
        return smallPixels(bytes, look.width, look.height, limits);
      case 'thumbnail':
        return thumbnail(bytes, look.side, limits);
      case 'input': {
        const { preprocessing, autoOrient } = look;
        return (await openPrepare({ preprocessing, mode: 'exact', limits, autoOrient })(bytes)).input;
      }
    }
  });
export default open;
