/** What a camera makes of a scene: exposure, the lamp's warmth, uneven light, noise. */
import { between, type Random } from './random.ts';

/** Changes the RGB pixels of a square picture in place. */
export function expose(pixels: Uint8Array, side: number, random: Random): void {
  const exposure = between(random, 0.8, 1.18);
  const warmth = between(random, -0.09, 0.1);
  const tint = between(random, -0.03, 0.03);
  const gains = [exposure * (1 + warmth), exposure * (1 + tint), exposure * (1 - warmth)];
  const angle = between(random, 0, 2 * Math.PI);
  const slope = between(random, 0, 0.3) / side;
  const [slopeX, slopeY] = [slope * Math.cos(angle), slope * Math.sin(angle)];
  const vignette = between(random, 0, 0.35) / (side * side);
  const noise = between(random, 0.5, 7);
  const grain = openGrain(random);
  const middle = side / 2;
  for (let y = 0, i = 0; y < side; y++) {
    const dy = y - middle;
    for (let x = 0; x < side; x++) {
      const dx = x - middle;
      const light = 1 + slopeX * dx + slopeY * dy - vignette * (dx * dx + dy * dy);
      const bright = grain() * noise;
      for (let channel = 0; channel < 3; channel++, i++) {
        const value = pixels[i]! * gains[channel]! * light + bright + grain() * noise * 0.5;
        pixels[i] = value < 0 ? 0 : value > 255 ? 255 : value;
      }
    }
  }
}

/** Noise of mean 0 and deviation 1, nearly normal: two uniform numbers from one step of xorshift. */
function openGrain(random: Random): () => number {
  let state = Math.floor(random() * 0xffffffff) | 1;
  const scale = Math.sqrt(6) / 65536;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return ((state & 0xffff) + (state >>> 16) - 65535) * scale;
  };
}
