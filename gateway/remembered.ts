const MOST = 1_000;
const LONGEST = 200;

/**
 * The same question with its answers remembered, as far as they are worth it: a thousand, and none about a long text, since anybody may
 * ask anything. The answer must depend on the text alone.
 */
export function remembered<Answer extends NonNullable<unknown>>(
  ask: (text: string) => Answer,
  isWorth: (answer: Answer) => boolean = () => true,
): (text: string) => Answer {
  const known = new Map<string, Answer>();
  return text => {
    const kept = known.get(text);
    if (kept !== undefined) return kept;
    const answer = ask(text);
    if (text.length > LONGEST || !isWorth(answer)) return answer;
    if (known.size === MOST) known.clear();
    known.set(text, answer);
    return answer;
  };
}
