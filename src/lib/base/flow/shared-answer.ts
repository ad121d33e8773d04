/** One answer for all who ask within a short time: the question is asked once, whoever and however many ask. */

export function sharedAnswer<T>(ask: () => Promise<T>, forMs: number): () => Promise<T> {
  let answer: Promise<T> | undefined;
  let until = 0;
  return () => {
    if (answer === undefined || performance.now() >= until) {
      until = Infinity; // while it is asked
      const asked = (answer = ask());
      const over = () => {
        if (answer === asked) until = performance.now() + forMs;
      };
      asked.then(over, () => {
        if (answer === asked) answer = undefined;
      });
    }
    return answer;
  };
}
